// Bun's own publish and subscribe, which is uWebSockets: `bun bun.js PORT`.
const server = Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("not a WebSocket")),
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe("room"),
    message: (_socket, message) => server.publish("room", message),
  },
});
