import assert from "node:assert/strict";
import { once } from "node:events";

import { WebSocket } from "ws";

/** A client that shows everything as it came, and the end of the connection too. */
export class Client {
  #socket;
  /** What came and was not read yet: texts, pongs, and at last the close code. */
  #arrived = [];
  #wake = () => {};
  #closed;
  #fences = 0;

  /** `protocols` is a token, or a whole list of sub-protocols; `options` are those of `ws`. */
  static async open(url, protocols, options) {
    const client = new Client();
    const socket = new WebSocket(url, protocols, options);
    client.#socket = socket;
    client.#closed = new Promise((resolve) => socket.on("close", resolve));
    const arrive = (arrival) => {
      client.#arrived.push(arrival);
      client.#wake();
    };
    socket.on("message", (data, isBinary) => arrive(isBinary ? { binary: data.length } : { text: data.toString() }));
    socket.on("pong", (data) => arrive({ pong: data.toString() }));
    socket.on("close", (code) => arrive({ close: code }));
    await once(socket, "open");
    // From here on an end without a close frame is an arrival as well: 1006.
    socket.on("error", () => {});
    return client;
  }

  /** The sub-protocol that the server gave back; empty where it gave none. */
  get protocol() {
    return this.#socket.protocol;
  }

  send(frame) {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text) {
    this.#socket.send(text);
  }

  sendBinary(bytes) {
    this.#socket.send(bytes, { binary: true });
  }

  ping(content) {
    this.#socket.ping(content);
  }

  close(code) {
    this.#socket.close(code);
  }

  /** The next text frame, parsed. */
  async read(line) {
    const arrival = await this.next(line);
    assert.ok("text" in arrival, `${JSON.stringify(arrival)} came where this was expected: ${line}`);
    return JSON.parse(arrival.text);
  }

  /** The next of whatever kind: `{ text }`, `{ pong }`, `{ close }` or `{ binary }`. */
  async next(line) {
    if (this.#arrived.length === 0) {
      await new Promise((resolve, reject) => {
        const patience = setTimeout(() => reject(new Error(`nothing came where this was expected: ${line}`)), 10_000);
        this.#wake = () => resolve(clearTimeout(patience));
      });
    }
    return this.#arrived.shift();
  }

  /** Waits for the end of the connection; its close code. */
  closed() {
    return this.#closed;
  }

  /** An answer comes behind everything else that was on its way; this one nobody else can have asked for. */
  async hasReadAll(name) {
    this.#fences += 1;
    const action = `end ${this.#fences}`;
    this.send({ action });
    const next = await this.read(`${name}< the end`);
    assert.equal(next.payload?.action, action, `${name} read more than the transcript says: ${JSON.stringify(next)}`);
  }

  /** Ends the connection as a cable that is pulled out would. */
  end() {
    this.#socket.terminate();
  }
}
