import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";

import { WebSocket } from "ws";

/** A client that shows everything as it came, and the end of the connection too. */
export class Client {
  #socket;
  /** What the WebSocket's frames go over. */
  #wire;
  /** Texts, pongs, and at last the close code. */
  #arrivals = new Arrivals();
  #closed;
  #fences = 0;

  /** `protocols` is a token, or a whole list of sub-protocols; `options` are those of `ws`. */
  static async open(url, protocols, options) {
    const client = new Client();
    const socket = new WebSocket(url, protocols, options);
    client.#socket = socket;
    client.#closed = new Promise((resolve) => socket.on("close", resolve));
    const arrive = (arrival) => client.#arrivals.push(arrival);
    socket.on("upgrade", (response) => (client.#wire = response.socket));
    socket.on("message", (data, isBinary) => arrive(isBinary ? { binary: data.length } : { text: data.toString() }));
    socket.on("pong", (data) => arrive({ pong: data.toString() }));
    socket.on("close", (code) => arrive({ close: code }));
    const refusal = once(socket, "unexpected-response").then(async ([, response]) => {
      const text = Buffer.concat(await response.toArray()).toString();
      throw Object.assign(new Error(`the handshake is answered with ${response.statusCode}: ${text}`), {
        refusal: { status: response.statusCode, text },
      });
    });
    await Promise.race([once(socket, "open"), refusal]);
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

  /** A part of a message, which goes on until the last. */
  sendPart(text, isLast) {
    this.#socket.send(text, { fin: isLast });
  }

  sendBinary(bytes) {
    this.#socket.send(bytes, { binary: true });
  }

  /** What need be no frame at all. */
  sendBytes(bytes) {
    this.#wire.write(bytes);
  }

  ping(content) {
    this.#socket.ping(content);
  }

  close(code) {
    this.#socket.close(code);
  }

  /** Reads nothing from its socket, and so answers no pings, until it reads on. */
  stopReading() {
    this.#socket.pause();
  }

  readOn() {
    this.#socket.resume();
  }

  /** The next text frame, parsed. */
  async read(line) {
    const arrival = await this.next(line);
    assert.ok("text" in arrival, `${JSON.stringify(arrival)} came where this was expected: ${line}`);
    return JSON.parse(arrival.text);
  }

  /** The next of whatever kind: `{ text }`, `{ pong }`, `{ close }` or `{ binary }`. */
  next(line) {
    return this.#arrivals.next(line);
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

/** A connection without a handshake: what is said on it is not framed, and of what comes only the end is told. */
export class Dialled {
  #socket;
  #arrivals = new Arrivals();

  static async open(port) {
    const dialled = new Dialled();
    dialled.#socket = connect(port, "127.0.0.1");
    await once(dialled.#socket, "connect");
    // Cut off is ended, too.
    dialled.#socket.on("error", () => {});
    dialled.#socket.on("close", () => dialled.#arrivals.push({ end: true }));
    dialled.#socket.resume();
    return dialled;
  }

  sendText(text) {
    this.#socket.write(text);
  }

  next(line) {
    return this.#arrivals.next(line);
  }

  hasReadAll(name) {
    assert.ok(this.#arrivals.isEmpty, `${name}'s connection has ended, and the transcript does not say so`);
  }

  end() {
    this.#socket.destroy();
  }
}

/** What came and was not read yet. */
class Arrivals {
  #unread = [];
  #wake = () => {};

  get isEmpty() {
    return this.#unread.length === 0;
  }

  push(arrival) {
    this.#unread.push(arrival);
    this.#wake();
  }

  async next(line) {
    if (this.#unread.length === 0) {
      await new Promise((resolve, reject) => {
        const patience = setTimeout(() => reject(new Error(`nothing came where this was expected: ${line}`)), 10_000);
        this.#wake = () => resolve(clearTimeout(patience));
      });
    }
    return this.#unread.shift();
  }
}
