import assert from "node:assert/strict";
import { once } from "node:events";

import { WebSocket } from "ws";

/**
 * Plays a transcript against a server. `A> frame` is sent by client A, `A< frame` is what it reads
 * next; `"<name>"` in a frame stands for any value, and for the same one wherever it comes again.
 */
export async function play(transcript, url) {
  const clients = new Map();
  const values = new Map();
  try {
    for (const line of transcript.split("\n").filter((line) => line.trim())) {
      const [, name, direction, text] = /^(\w+)([<>]) (.*)$/.exec(line) ?? assert.fail(`no transcript line: ${line}`);
      if (!clients.has(name)) clients.set(name, await Client.open(url));
      const frame = JSON.parse(text);
      if (direction === ">") clients.get(name).send(fill(frame, values));
      else match(await clients.get(name).read(line), frame, values, line);
    }
    for (const [name, client] of clients) await client.hasReadAll(name);
  } finally {
    for (const client of clients.values()) client.end();
  }
}

/** A client that shows every frame as it came. */
export class Client {
  #socket;
  #frames = [];
  #wake = () => {};
  #closed;

  static async open(url, token) {
    const client = new Client();
    client.#socket = new WebSocket(url, token);
    client.#closed = new Promise((resolve) => client.#socket.on("close", resolve));
    client.#socket.on("message", (data) => {
      client.#frames.push(JSON.parse(data.toString()));
      client.#wake();
    });
    await once(client.#socket, "open");
    return client;
  }

  send(frame) {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text) {
    this.#socket.send(text);
  }

  async read(line) {
    if (this.#frames.length === 0) {
      await new Promise((resolve, reject) => {
        const patience = setTimeout(() => reject(new Error(`no frame came where this was expected: ${line}`)), 10_000);
        this.#wake = () => resolve(clearTimeout(patience));
      });
    }
    return this.#frames.shift();
  }

  /** Waits for the end of the connection; its close code. */
  closed() {
    return this.#closed;
  }

  /** A ping's answer comes behind everything else that was on its way. */
  async hasReadAll(name) {
    this.send({ action: "ping" });
    const next = await this.read(`${name}< the end`);
    assert.deepEqual(next, { action: "pong" }, `${name} read more than the transcript says`);
  }

  end() {
    this.#socket.terminate();
  }
}

const placeholder = (value) => (typeof value === "string" ? /^<(.+)>$/.exec(value)?.[1] : undefined);

/** Puts known values in place of their `"<name>"`. */
export function fill(value, values) {
  const name = placeholder(value);
  if (name !== undefined) return values.get(name);
  if (Array.isArray(value)) return value.map((item) => fill(item, values));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, values)]));
}

/** Holds what came against what was expected; `"<name>"` stands for any value. */
export function match(actual, expected, values, line) {
  const name = placeholder(expected);
  if (name !== undefined) {
    if (values.has(name)) assert.deepEqual(actual, values.get(name), `<${name}> changed: ${line}`);
    values.set(name, actual);
  } else if (expected === null || typeof expected !== "object") {
    assert.equal(actual, expected, line);
  } else {
    assert.ok(actual !== null && typeof actual === "object", `${JSON.stringify(actual)} came instead: ${line}`);
    assert.deepEqual(Object.keys(actual), Object.keys(expected), `the keys differ: ${line}`);
    for (const key of Object.keys(expected)) match(actual[key], expected[key], values, line);
  }
}
