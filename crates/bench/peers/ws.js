// `ws` on Node, with the plain loop of its manual's "server broadcast"; the path names the channel. It
// prints its port.
import WebSocket, { WebSocketServer } from "ws";

const channels = new Map();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, backlog: 4_096 });
server.on("connection", (socket, { url }) => {
  if (!channels.has(url)) channels.set(url, new Set());
  const channel = channels.get(url);
  channel.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => channel.delete(socket));
  socket.on("message", (message) => {
    for (const client of channel) {
      if (client.readyState === WebSocket.OPEN) client.send(message, { binary: false });
    }
  });
});
server.on("listening", () => console.log(server.address().port));
