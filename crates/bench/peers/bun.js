// Bun's own publish and subscribe, which is uWebSockets; the path names the channel. It prints its port.
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, server) =>
    server.upgrade(request, { data: new URL(request.url).pathname }) ? undefined : new Response("not a WebSocket"),
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe(socket.data),
    message: (socket, message) => server.publish(socket.data, message),
  },
});
console.log(server.port);
