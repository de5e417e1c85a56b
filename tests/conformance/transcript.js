import assert from "node:assert/strict";

import { Client } from "./client.js";
import { Mismatch, fill, match, matchSet } from "./pattern.js";

export { Client };

/**
 * Plays a transcript against a server. `A> frame` is sent by client A, `A< frame` is what it reads
 * next; `"<name>"` in a frame stands for any value, and for the same one wherever it comes again.
 */
export async function play(transcript, url) {
  await new Stage({ open: () => Client.open(url) }).play(parse(transcript));
}

/** The lines of a transcript with their numbers; empty lines and those that begin with # say nothing. */
export function parse(text, first = 1) {
  const lines = text.split("\n").map((line, index) => ({ line, number: first + index }));
  return lines.filter(({ line }) => line.trim() && !line.startsWith("#"));
}

/**
 * Where transcripts are played. Its world says how a client of some name connects, `open(name)`, and
 * may know an administrator, `admin(method, path, body)`. cases/README.md describes the lines.
 */
export class Stage {
  #world;
  #clients = new Map();
  #values = new Map();
  #ended = new Set();
  /** Whose socket id is whose. */
  #ids = new Map();
  #answer;

  constructor(world) {
    this.#world = world;
  }

  async play(lines) {
    try {
      for (let at = 0; at < lines.length; at += 1) {
        const { line, number } = lines[at];
        let set = 1;
        while (/^\w+<~ /.test(line) && lines[at + set]?.line.split(" ", 1)[0] === line.split(" ", 1)[0]) set += 1;
        const together = lines.slice(at, at + set).map((one) => one.line);
        await this.#step(line, together).catch((error) => {
          error.message = `line ${number}: ${error.message}\nthe line is: ${line}`;
          throw error;
        });
        at += set - 1;
      }
      await this.#nothingMore();
    } finally {
      for (const client of this.#clients.values()) client.end();
    }
  }

  async #step(line, together) {
    const [, name, sign, rest] = /^(\w+)(>|<~|<| joins| opens)(?: (.*))?$/.exec(line) ?? [];
    if (name === "admin" && sign === "<") return match(this.#answer, JSON.parse(rest), this.#values, "the answer");
    if (sign === undefined) return this.#administer(line);
    if (!this.#clients.has(name)) this.#clients.set(name, await this.#world.open(name));
    const client = this.#clients.get(name);
    if (sign === ">") await this.#send(client, rest);
    else if (sign === "<~") await this.#readSet(client, together);
    else if (sign === "<") await this.#read(name, client, rest);
    else if (sign === " joins") await this.#join(name, client, rest);
  }

  async #send(client, text) {
    const [, verb, rest] = /^([a-z]+)(?: (.*))?$/.exec(text) ?? [];
    if (verb === undefined) {
      const frame = fill(text, this.#values);
      JSON.parse(frame);
      client.sendText(frame);
    } else if (verb === "text") client.sendText(rest ?? "");
    else if (verb === "binary") client.sendBinary(Buffer.from(rest));
    else if (verb === "ping") client.ping(rest);
    else if (verb === "close") client.close(Number(rest));
    else if (verb === "drop") client.end();
    else if (verb === "padded") {
      const [, size, frame] = /^(\d+) (.*)$/.exec(rest);
      client.sendText(frame.padEnd(Number(size)));
    } else assert.fail("a client cannot send this");
  }

  async #read(name, client, text) {
    const [, verb, rest] = /^([a-z]+)(?: (.*))?$/.exec(text) ?? [];
    if (verb === "nothing") return client.hasReadAll(name);
    if (verb === "protocol") return match(client.protocol, rest ?? "", this.#values, "the sub-protocol");
    const arrival = await client.next(text);
    const came = () => `this came: ${JSON.stringify(arrival).slice(0, 2_000)}`;
    if (verb === undefined) this.#match(frameOf(arrival), JSON.parse(text), came);
    else if (verb === "has") assert.ok(arrival.text?.includes(fill(rest, this.#values)), came());
    else if (verb === "pong") assert.equal(arrival.pong, rest ?? "", came());
    else if (verb === "close") {
      assert.equal(arrival.close, Number(rest), came());
      this.#ended.add(client);
    } else assert.fail("a client cannot read this");
  }

  #match(frame, expected, came) {
    try {
      match(frame, expected, this.#values);
    } catch (error) {
      if (error instanceof Mismatch) error.message += `\n${came()}`;
      throw error;
    }
  }

  async #readSet(client, lines) {
    const frames = [];
    for (const line of lines) frames.push(frameOf(await client.next(line)));
    const expected = lines.map((line) => JSON.parse(line.slice(line.indexOf("<~ ") + 3)));
    const values = matchSet(frames, expected, this.#values);
    assert.ok(values, `the frames do not fit these ${lines.length} lines in any order: ${JSON.stringify(frames)}`);
    this.#values = values;
  }

  /** Joins for nothing but to be there; `<A>` is then A's socket id, and `<a>` its client object. */
  async #join(name, client, channel) {
    client.send({ action: "join", options: { channel }, payload: { history: false, presence: false } });
    const own = `<${name.toLowerCase()}>`;
    const frame = await client.read("the answer to the join");
    this.#match(frame, { action: "join", options: { channel }, client: own, payload: "<_>" }, () => `this came: ${JSON.stringify(frame)}`);
    const id = frame.payload.socketId;
    assert.ok(!this.#ids.has(id) || this.#ids.get(id) === name, `${name} has the socket id of ${this.#ids.get(id)}`);
    this.#ids.set(id, name);
    match(id, `<${name}>`, this.#values);
  }

  async #administer(line) {
    const [, method, path = "", body] = /^admin (GET|PUT|POST|DELETE)(?: (\/\S*))?(?: ([{[].*))?$/.exec(line) ?? assert.fail("no such line is known");
    this.#answer = await this.#world.admin(method, path, body && JSON.parse(fill(body, this.#values)));
  }

  /** Twice, so that what a client caused with its last request has reached the others. */
  async #nothingMore() {
    const open = [...this.#clients].filter(([, client]) => !this.#ended.has(client));
    for (let round = 0; round < 2; round += 1) {
      for (const [name, client] of open) await client.hasReadAll(name);
    }
  }
}

function frameOf(arrival) {
  assert.ok("text" in arrival, `${JSON.stringify(arrival)} came instead of a frame`);
  return JSON.parse(arrival.text);
}
