import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import { Server } from "../e2e/support/server.js";
import { Client, Stage, parse } from "./transcript.js";
import { Webhook } from "./webhook.js";

/** One file of `cases/`: its claim, the rows of the contract that it shows, and how it is played. */
export class Case {
  claim;
  covers = [];
  #file;
  #channels = [];
  #triggers = new Map();
  #identities = new Map();
  #options = [];
  #lines = [];

  static async read(file, name) {
    return new Case(name, await readFile(file, "utf8"));
  }

  /** `file` is what faults are reported under. */
  constructor(file, text) {
    this.#file = file;
    const [claim, , ...rest] = text.split("\n");
    this.claim = claim;
    const end = rest.indexOf("");
    assert.ok(/\.$/.test(claim) && end > 0, `${file}: a case is a sentence, a head and a transcript, with empty lines between them`);
    for (const [index, line] of rest.slice(0, end).entries()) this.#readHead(line, index + 3);
    this.#lines = parse(rest.slice(end).join("\n"), end + 3);
    assert.ok(this.covers.length > 0, `${file}: a line \`covers\` says which rows of the contract this shows`);
  }

  /** Plays it against a server of its own. */
  async play() {
    const hooks = new Map();
    let server;
    try {
      for (const name of this.#triggers.keys()) hooks.set(name, await Webhook.start());
      const options = hooks.size > 0 ? ["--allow-private-triggers", ...this.#options] : this.#options;
      const key = randomBytes(32);
      server = await Server.start({ demo: false, options, key });
      const { channels } = await server.admin("PUT", "", { enabled: true, channels: this.#channels });
      for (const [name, hook] of hooks) await this.#addTrigger(server, channels, name, hook);
      const tokens = new Tokens(key, this.#identities);
      await new Stage({
        hooks,
        open: (name) => connect(server, this.#identities.get(name) ?? {}, tokens.of(name)),
        admin: (method, path, body) => server.admin(method, path, body),
        restart: () => server.stop().then(() => server.restart()),
        expires: (name) => tokens.expiryOf(name),
      }).play(this.#lines);
    } catch (error) {
      error.message = `${this.#file}: ${error.message}`;
      throw error;
    } finally {
      await server?.dispose();
      for (const hook of hooks.values()) hook.stop();
    }
  }

  #addTrigger(server, channels, name, hook) {
    const { channel, ...settings } = this.#triggers.get(name);
    const row = channels.find(({ pattern }) => pattern === channel);
    assert.ok(row, `${name}'s channel ${channel} is not in the head`);
    return server.admin("POST", "/channel/trigger", { channel_id: row.id, name, url: hook.url, ...settings });
  }

  #readHead(line, number) {
    const [, word, name, rest] = /^(covers|channel|(?:client|hook) (\w+)|serve) (.*)$/.exec(line) ?? [];
    try {
      if (word === "covers") this.covers.push(...rest.split(", "));
      else if (word === "channel") this.#channels.push(JSON.parse(rest));
      else if (word === "serve") this.#options.push(...rest.split(" "));
      else if (word?.startsWith("hook")) this.#triggers.set(name, JSON.parse(rest));
      else if (word) this.#identities.set(name, JSON.parse(rest));
      else assert.fail("a head has lines of covers, channel, client, hook and serve");
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

  #sign({ expires = 3_600, headers, path, query, protocols, ...claims }) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1_000) + expires;
    const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, exp })}`;
    return `${head}.${createHmac("sha256", this.#key).update(head).digest("base64url")}`;
  }
}

/** Who connects may choose more of the handshake than its token. */
function connect(server, { protocols, headers, path = `/rt/${server.hash}`, query = "" }, token) {
  const list = protocols?.map((one) => (one === "<token>" ? token : one));
  return Client.open(`${server.origin.replace("http", "ws")}${path}${query}`, list ?? token, { headers });
}
