import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createPlain } from "node:http";
import { createServer as createSecure } from "node:https";

import { WebSocketServer } from "ws";

/**
 * A server of the protocol's first version, as far as is known of Xano's own, that also does what a
 * test tells it: answers late or not at all, says what it should not, hangs up.
 */
export class StagedServer {
  hash = "staged";
  /** The frames of all connections, in order. */
  frames = [];
  /** Who asked for a connection: `{ url, protocol }`. */
  upgrades = [];
  /** Joins get no answer. */
  silent = false;
  /** Called with each connection as soon as it is there. */
  greet = () => {};
  #http;
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: ([first]) => first });
  #held = null;

  static async start({ tls = true } = {}) {
    const server = new StagedServer();
    const page = (_, response) => void response.setHeader("content-type", "text/html").end("<!doctype html>");
    const [cert, key] = tls ? ["XANO_TEST_CERT", "XANO_TEST_KEY"].map((name) => readFileSync(process.env[name])) : [];
    server.#http = tls ? createSecure({ cert, key }, page) : createPlain(page);
    server.#http.on("upgrade", (...asked) => server.#upgrade(...asked));
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get port() {
    return this.#http.address().port;
  }

  /** From now on nobody who asks for a connection gets an answer, until {@link admit}. */
  hold() {
    this.#held = [];
  }

  admit() {
    const held = this.#held;
    this.#held = null;
    for (const asked of held) this.#accept(...asked);
  }

  /** Says this to everybody. */
  say(frame) {
    for (const socket of this.#sockets.clients) socket.send(JSON.stringify(frame));
  }

  /** Ends every connection. */
  kick(code) {
    for (const socket of this.#sockets.clients) socket.close(code);
  }

  /** The channels of these frames. */
  channels(action) {
    return this.frames.filter((frame) => frame.action === action).map(({ options }) => options.channel);
  }

  /** What messages carried. */
  payloads() {
    return this.frames.filter(({ action }) => action === "message").map(({ payload }) => payload);
  }

  dispose() {
    for (const socket of this.#sockets.clients) socket.terminate();
    for (const [, socket] of this.#held ?? []) socket.destroy();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  #upgrade(request, socket, head) {
    socket.on("error", () => {});
    this.upgrades.push({ url: request.url, protocol: request.headers["sec-websocket-protocol"] ?? null });
    if (this.#held) this.#held.push([request, socket, head]);
    else this.#accept(request, socket, head);
  }

  #accept(request, socket, head) {
    if (socket.destroyed) return;
    this.#sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("message", (text) => this.#take(connection, JSON.parse(text)));
      this.greet(connection);
    });
  }

  #take(connection, frame) {
    this.frames.push(frame);
    const { action, options, payload } = frame;
    const { channel } = options;
    const client = { socketId: "self", extras: {}, permissions: { dbo_id: 0, row_id: 0 } };
    const answer = (payload, more) => connection.send(JSON.stringify({ action, options: { channel }, client: null, payload, ...more }));
    if (action === "join" && !this.silent) answer(null, { client });
    if (action === "message") answer(payload, { client, options: { authenticated: false, socketId: null, channel } });
    if (action === "history") answer({ history: [] });
  }
}
