import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { Server } from "../e2e/support/server.js";
import { Client, Stage, parse } from "./transcript.js";

/** One file of `cases/`: its claim, the rows of the contract that it shows, and how it is played. */
export class Case {
  claim;
  covers = [];
  #file;
  #channels = [];
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
    let server;
    try {
      server = await Server.start({ demo: false, options: this.#options });
      await server.admin("PUT", "", { enabled: true, channels: this.#channels });
      const key = Buffer.from(await readFile(join(server.folder, "signing-key"), "utf8"), "base64url");
      const open = (name) => connect(server, this.#identities.get(name) ?? {}, key);
      const admin = (method, path, body) => server.admin(method, path, body);
      await new Stage({ open, admin }).play(this.#lines);
    } catch (error) {
      error.message = `${this.#file}: ${error.message}`;
      throw error;
    } finally {
      await server?.dispose();
    }
  }

  #readHead(line, number) {
    const [, word, name, rest] = /^(covers|channel|client (\w+)|serve) (.*)$/.exec(line) ?? [];
    try {
      if (word === "covers") this.covers.push(...rest.split(", "));
      else if (word === "channel") this.#channels.push(JSON.parse(rest));
      else if (word === "serve") this.#options.push(...rest.split(" "));
      else if (word) this.#identities.set(name, JSON.parse(rest));
      else assert.fail("a head has lines of covers, channel, client and serve");
    } catch (error) {
      error.message = `${this.#file}: line ${number}: ${error.message}`;
      throw error;
    }
  }
}

/** `who` has a token's claims, or a token as it is, or none; it may also choose more of the handshake. */
function connect(server, who, key) {
  const { token, protocols, headers, path = `/rt/${server.hash}`, query = "", ...claims } = who;
  const own = token ?? ("dbo_id" in claims ? sign(claims, key) : undefined);
  const list = protocols?.map((one) => (one === "<token>" ? own : one));
  return Client.open(`${server.origin.replace("http", "ws")}${path}${query}`, list ?? own, { headers });
}

/** As an issuer with the server's key would; the claims need not be right. */
function sign(claims, key) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { expires = 3_600, ...rest } = claims;
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...rest, exp: Math.floor(Date.now() / 1_000) + expires })}`;
  return `${head}.${createHmac("sha256", key).update(head).digest("base64url")}`;
}
