import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import { Server } from "../e2e/support/server.js";
import { expand } from "./pattern.js";
import { Client, Dialled, Stage, parse } from "./transcript.js";
import { Webhook } from "./webhook.js";

/** What is played against a server of its own: a file of `cases/`, or an example of PROTOCOL.md. */
export class Case {
  /** What a file says that it shows, and the rows of the contract that are about it. */
  claim;
  covers = [];
  #file;
  #channels = [];
  #triggers = new Map();
  #identities = new Map();
  #options = [];
  #fileSize;
  #demo = false;
  #lines = [];

  static async read(file, name) {
    return Case.parse(name, await readFile(file, "utf8"));
  }

  /** A file's text: its claim, the head, and the transcript. `file` is what faults are reported under. */
  static parse(file, text) {
    const [claim, , ...rest] = text.split("\n");
    const one = new Case(file);
    one.claim = claim;
    assert.ok(/\.$/.test(claim) && rest.indexOf("") > 0, `${file}: a case is a sentence, a head and a transcript, with empty lines between them`);
    one.#readAll(rest, 3);
    assert.ok(one.covers.length > 0, `${file}: a line \`covers\` says which rows of the contract this shows`);
    return one;
  }

  /** An example in a document, which begins in line `first`: a head and a transcript. */
  static example(file, text, first) {
    const one = new Case(file);
    one.#readAll(text.split("\n"), first);
    return one;
  }

  /** An example that has no head because it is played in the channels of the demo. */
  static demo(file, text, first) {
    const one = new Case(file);
    one.#demo = true;
    one.#lines = parse(text, first);
    return one;
  }

  constructor(file) {
    this.#file = file;
  }

  /** Plays it against a server of its own. `watch` is given the server each time before it ends. */
  async play(watch = () => {}) {
    const hooks = new Map();
    let [server, isLeft] = [undefined, true];
    try {
      for (const name of this.#triggers.keys()) hooks.set(name, await Webhook.start());
      const options = hooks.size > 0 ? ["--allow-private-triggers", ...this.#options] : this.#options;
      const key = randomBytes(32);
      server = await Server.start({ demo: this.#demo, options, key, fileSize: this.#fileSize });
      if (!this.#demo) await this.#setUp(server, hooks);
      const tokens = new Tokens(key, this.#identities);
      await new Stage({
        hooks,
        open: (name) => connect(server, this.#identities.get(name) ?? {}, tokens.of(name)),
        dial: () => Dialled.open(server.port),
        admin: (method, path, body) => server.admin(method, path, body),
        restart: async () => {
          await watch(server);
          await server.stop();
          await server.restart();
        },
        stop: async () => {
          await watch(server);
          isLeft = false;
          await server.drain();
        },
        pause: () => server.pause(),
        goOn: () => server.goOn(),
        expires: (name) => tokens.expiryOf(name),
      }).play(this.#lines);
      if (isLeft) await watch(server);
    } catch (error) {
      error.message = `${this.#file}: ${error.message}`;
      throw error;
    } finally {
      await server?.dispose();
      for (const hook of hooks.values()) hook.stop();
    }
  }

  async #setUp(server, hooks) {
    const { channels } = await server.admin("PUT", "", { enabled: true, channels: this.#channels });
    for (const [name, hook] of hooks) await this.#addTrigger(server, channels, name, hook);
  }

  #addTrigger(server, channels, name, hook) {
    const { channel, ...settings } = this.#triggers.get(name);
    const row = channels.find(({ pattern }) => pattern === channel);
    assert.ok(row, `${name}'s channel ${channel} is not in the head`);
    return server.admin("POST", "/channel/trigger", { channel_id: row.id, name, url: hook.url, ...settings });
  }

  #readAll(lines, first) {
    const end = lines.indexOf("");
    assert.ok(end > 0, `${this.#file}: line ${first}: an empty line stands between the head and the transcript`);
    for (const [index, line] of lines.slice(0, end).entries()) this.#readHead(line, first + index);
    this.#lines = parse(lines.slice(end).join("\n"), first + end);
  }

  #readHead(line, number) {
    const [, word, name, rest] = /^(covers|channel|(?:client|hook) (\w+)|serve|disk) (.*)$/.exec(line) ?? [];
    try {
      if (word === "covers") this.covers.push(...rest.split(", "));
      else if (word === "channel") this.#channels.push(JSON.parse(rest));
      else if (word === "serve") this.#options.push(...rest.split(" "));
      else if (word?.startsWith("hook")) this.#triggers.set(name, JSON.parse(rest));
      else if (word === "disk") this.#fileSize = Number(/^(\d+) KiB$/.exec(rest)[1]) * 1024;
      else if (word) this.#identities.set(name, JSON.parse(expand(rest)));
      else assert.fail("a head has lines of covers, channel, client, hook, serve and disk");
    } catch (error) {
      error.message = `${this.#file}: line ${number}: ${error.message}`;
      throw error;
    }
  }
}

/** The tokens of a case's clients, as an issuer with the server's key would make them; the claims need not be right. */
class Tokens {
  #key;
  #identities;
  #made = new Map();

  constructor(key, identities) {
    this.#key = key;
    this.#identities = identities;
  }

  /** The same each time: its own, another client's, one as it is, or none. */
  of(name) {
    const { token, tokenOf, ...claims } = this.#identities.get(name) ?? {};
    if (tokenOf) return this.of(tokenOf);
    if (token !== undefined || !("dbo_id" in claims)) return token;
    if (!this.#made.has(name)) this.#made.set(name, this.#sign(claims));
    return this.#made.get(name);
  }

  /** Waits until the server, which allows for clocks that are wrong by half a minute, no longer takes it. */
  async expiryOf(name) {
    const { exp } = JSON.parse(Buffer.from(this.of(name).split(".")[1], "base64url"));
    const left = (exp + 31) * 1_000 - Date.now();
    assert.ok(left < 5_000, `${name}'s token is good for ${left} ms; nobody waits that long`);
    await setTimeout(left);
  }

  #sign({ expires = 3_600, headers, path, query, protocols, pongs, version, ...claims }) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1_000) + expires;
    const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, exp })}`;
    return `${head}.${createHmac("sha256", this.#key).update(head).digest("base64url")}`;
  }
}

/** Who connects may choose more of the handshake than its token. */
function connect(server, { protocols, headers, path = `/rt/${server.hash}`, query = "", pongs = true, version = 13 }, token) {
  const list = protocols?.map((one) => (one === "<token>" ? token : one));
  return Client.open(`${server.origin.replace("http", "ws")}${path}${query}`, list ?? token, { headers, autoPong: pongs, protocolVersion: version });
}
