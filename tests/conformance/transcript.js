import assert from "node:assert/strict";

import { Client, Dialled } from "./client.js";
import { Mismatch, fill, match, matchSet } from "./pattern.js";

export { Client, Dialled };

/**
 * Plays a transcript against a server. `A> frame` is sent by client A, `A< frame` is what it reads
 * next; `"<name>"` in a frame stands for any value, and for the same one wherever it comes again.
 */
export async function play(transcript, url) {
  await new Stage({ open: () => Client.open(url) }).play(parse(transcript));
}

/**
 * The lines of a transcript with their numbers; empty lines and those that begin with # say nothing. Lines that
 * are indented are the body of the line above them.
 */
export function parse(text, first = 1) {
  return nest(text.split("\n").map((line, index) => ({ line, number: first + index })));
}

function nest(lines) {
  const steps = [];
  for (const { line, number } of lines.filter(({ line }) => line.trim() && !line.trimStart().startsWith("#"))) {
    if (line.startsWith("  ") && steps.length > 0) steps.at(-1).body.push({ line: line.slice(2), number });
    else steps.push({ line, number, body: [] });
  }
  return steps.map((step) => ({ ...step, body: nest(step.body) }));
}

/**
 * Where transcripts are played. Its world says how a client of some name connects, `open(name)`, and
 * may know how one that speaks no WebSocket does, `dial()`, an administrator, `admin(method, path, body)`,
 * webhooks by their names, `hooks`, how to `restart` the server, to let it `stop`, to `pause` it and let it `goOn`, and
 * to wait until the token of some name `expires`. cases/README.md describes the lines.
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

  async play(steps) {
    try {
      await this.#playAll(steps);
      await this.#nothingMore();
    } finally {
      for (const client of this.#clients.values()) client.end();
    }
  }

  async #playAll(steps) {
    for (let at = 0; at < steps.length; at += 1) {
      const { line, number } = steps[at];
      let set = 1;
      while (/^\w+<~ /.test(line) && steps[at + set]?.line.split(" ", 1)[0] === line.split(" ", 1)[0]) set += 1;
      const together = steps.slice(at, at + set).map((one) => one.line);
      await this.#step(steps[at], together).catch((error) => {
        // A line that plays others leaves it to them to say where they are.
        if (error.line) throw error;
        error.line = line;
        error.message = `line ${number}: ${error.message}\nthe line is: ${line}`;
        throw error;
      });
      at += set - 1;
    }
  }

  async #step({ line, body }, together) {
    if (body.length > 0) return this.#repeat(line, body);
    const [, name, sign, rest] = SAID.exec(line) ?? [];
    if (name === "admin" && sign === "<") return match(this.#answer, JSON.parse(rest), this.#values, "the answer");
    if (line === "the server restarts") return this.#world.restart();
    if (line === "the server stops") return this.#world.stop();
    if (line === "the server pauses") return this.#world.pause();
    if (line === "the server goes on") return this.#world.goOn();
    if (sign === undefined) return this.#administer(line);
    if (sign === " is refused") return this.#isRefused(name, rest);
    if (sign === "'s token expires") return this.#world.expires(name);
    if (sign === " dials") return void this.#clients.set(name, await this.#world.dial());
    const hook = this.#world.hooks?.get(name);
    if (hook) return this.#consult(hook, name, sign, rest);
    if (!this.#clients.has(name)) this.#clients.set(name, await this.#world.open(name));
    const client = this.#clients.get(name);
    if (sign === ">") await this.#send(client, rest);
    else if (sign === "<~") await this.#readSet(client, together);
    else if (sign === "<") await this.#read(name, client, rest);
    else if (sign === " joins") await this.#join(name, client, rest);
    else if (sign === " stops reading") client.stopReading();
    else if (sign === " reads on") client.readOn();
  }

  /** Plays other lines so often, or until somebody reads something; `<#>` in them is the number of the round. */
  async #repeat(line, body) {
    const [, count, reader, end] = /^(?:(\d+) times|repeat until ([\w<#>]+?)< (.*))$/.exec(line) ?? assert.fail("nothing plays these lines");
    const rounds = Number(count ?? MAX_ROUNDS);
    for (let round = 1; round <= rounds; round += 1) {
      await this.#playAll(inRound(body, round));
      if (reader && (await this.#hasCome(this.#clients.get(numbered(reader, round)), numbered(end, round)))) return;
    }
    assert.ok(count, `it has not come in ${MAX_ROUNDS} rounds`);
  }

  /** Reads one frame; whether it is this one. */
  async #hasCome(client, text) {
    const frame = frameOf(await client.next(text));
    const values = new Map(this.#values);
    try {
      match(frame, JSON.parse(text), values);
    } catch (error) {
      if (error instanceof Mismatch) return false;
      throw error;
    }
    this.#values = values;
    return true;
  }

  async #isRefused(name, text) {
    const [, status, rest] = /^(\d{3})(?: (.*))?$/.exec(text);
    const refusal = await this.#world.open(name).then(
      (client) => client.end(),
      (error) => error.refusal ?? assert.fail(error),
    );
    assert.ok(refusal, `${name} was let in`);
    const came = `this came: ${JSON.stringify(refusal)}`;
    assert.equal(refusal.status, Number(status), came);
    assert.ok(refusal.text.includes(rest ?? ""), came);
  }

  async #consult(hook, name, sign, text) {
    const [, verb, status, rest] = /^(text|status|drop|nothing)(?: (?<=status )(\d{3}))?(?: (.*))?$/.exec(text) ?? [];
    if (sign === "<" && verb === "nothing") hook.hasReadAll(name);
    else if (sign === "<") match(await hook.next(text), JSON.parse(text), this.#values, "the question");
    else if (sign !== ">") assert.fail("a webhook does not do this");
    else if (verb === "drop") hook.answer(undefined);
    else if (verb) hook.answer(rest ?? "", status && Number(status));
    else {
      const answer = fill(text, this.#values);
      JSON.parse(answer);
      hook.answer(answer);
    }
  }

  async #send(client, text) {
    const [, verb, rest] = /^([a-z]+)(?: (.*))?$/.exec(text) ?? [];
    if (verb === undefined) {
      const frame = fill(text, this.#values);
      JSON.parse(frame);
      client.sendText(frame);
    } else if (verb === "text") client.sendText(rest ?? "");
    else if (verb === "begin" || verb === "end") client.sendPart(fill(rest, this.#values), verb === "end");
    else if (verb === "bytes") client.sendBytes(Buffer.from(rest.replaceAll(" ", ""), "hex"));
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
    let arrival = await client.next(text);
    while (rest?.startsWith("last close ") && "text" in arrival) arrival = await client.next(text);
    const came = () => `this came: ${JSON.stringify(arrival).slice(0, 2_000)}`;
    if (verb === undefined) this.#match(frameOf(arrival), JSON.parse(text), came);
    else if (verb === "has") assert.ok(arrival.text?.includes(fill(rest, this.#values)), came());
    else if (verb === "pong") assert.equal(arrival.pong, rest ?? "", came());
    else if (verb === "close" || verb === "at") {
      assert.equal(arrival.close, Number(rest.replace("last close ", "")), came());
      this.#ended.add(client);
    } else if (verb === "end") {
      assert.ok(arrival.end, came());
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
    for (const [name, hook] of this.#world.hooks ?? []) hook.hasReadAll(name);
  }
}

/** Lines of one round; what they repeat themselves has rounds of its own. */
const inRound = (steps, round) => steps.map((step) => ({ ...step, line: numbered(step.line, round) }));

const numbered = (text, round) => text.replaceAll("<#>", round);

function frameOf(arrival) {
  assert.ok("text" in arrival, `${JSON.stringify(arrival)} came instead of a frame`);
  return JSON.parse(arrival.text);
}

/** Who does what. */
const SAID = /^(\w+)(>|<~|<| joins| opens| dials| is refused| stops reading| reads on|'s token expires)(?: (.*))?$/;
/** More of them are no example, but a server that does not do what it should. */
const MAX_ROUNDS = 1_000;
