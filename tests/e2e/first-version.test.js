import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";

import { WebSocket, WebSocketServer } from "ws";

import { XanoClient } from "../../dist/index.js";
import { waitFor } from "./support/chat.js";

/** A server of the protocol's first version, as far as is known of Xano's own: nothing beyond it. */
class FirstVersion {
  received = [];
  #server = new WebSocketServer({ host: "127.0.0.1", port: 0 });

  async start() {
    await once(this.#server, "listening");
    this.#server.on("connection", (socket) => socket.on("message", (data) => this.#take(socket, JSON.parse(data))));
    return this;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Ends every connection, as a restart would. */
  kick() {
    for (const socket of this.#server.clients) socket.close(1012);
  }

  stop() {
    this.#server.close();
    for (const socket of this.#server.clients) socket.terminate();
  }

  #take(socket, frame) {
    this.received.push(frame);
    const { action, options, payload } = frame;
    const { channel } = options;
    const client = { socketId: "somebody", extras: [], permissions: { dbo_id: 0, row_id: 0 } };
    const answer = (payload, more) => socket.send(JSON.stringify({ action, options: { channel }, client: null, payload, ...more }));
    if (action === "join") answer(null, { client });
    if (action === "message") answer(payload, { client, options: { authenticated: false, socketId: null, channel } });
    if (action === "history") answer({ history: [{ action: "message", options, client, payload: "kept" }] });
  }
}

describe("a server of the first version", () => {
  let server;
  const native = globalThis.WebSocket;

  before(async () => {
    globalThis.WebSocket = WebSocket;
    server = await new FirstVersion().start();
  });
  after(() => {
    globalThis.WebSocket = native;
    server?.stop();
  });

  test("gets the frames it knows, and nothing is promised that it cannot keep", async (t) => {
    const client = new XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: "any" });
    const channel = client.channel("room", { history: true });
    t.after(() => client.destroy());
    const heard = [];
    channel.on((action) => heard.push(action.action));
    await channel.ready;
    assert.equal(channel.continuity, "unknown");
    assert.deepEqual(await channel.message("one"), {});
    await waitFor(() => heard.includes("message"), () => "the echo is heard");
    const { history, more } = await channel.history({ limit: 1 });
    assert.deepEqual([history.map(({ payload }) => payload), more], [["kept"], undefined]);
    server.kick();
    await waitFor(() => heard.filter((action) => action === "join").length === 2, () => "it is joined again");
    channel.message("two");
    await waitFor(() => heard.filter((action) => action === "message").length === 2, () => "the second echo is heard");
    const join = { action: "join", options: { channel: "room" }, payload: { history: true, presence: false, batch: true } };
    const message = (payload) => ({ action: "message", options: { channel: "room" }, payload });
    const page = { action: "history", options: { channel: "room" }, payload: { limit: 1 } };
    assert.deepEqual(server.received, [join, message("one"), page, join, message("two")]);
    assert.ok(!heard.includes("gap"));
  });
});
