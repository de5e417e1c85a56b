import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Server } from "../../e2e/support/server.js";
import { Contract } from "../openapi.js";
import { Client } from "../transcript.js";

export const OPEN = { pattern: "open", anonymous_clients: true, client_public_messaging: true, presence: true, history: 25 };

const REALTIME = "/workspace/1/realtime";

/** A server's Metadata API; every answer is held against the server's own document. */
export class Api {
  static async start(options) {
    const api = new Api();
    api.server = await Server.start({ demo: false, ...options });
    const response = await fetch(`${api.server.origin}/api:meta/openapi.json`);
    api.document = await response.json();
    api.contract = new Contract(api.document);
    return api;
  }

  dispose() {
    return this.server.dispose();
  }

  /** Asks for what is below the workspace's realtime; status, headers, body, and the request's faults. */
  ask(method, path, body, options) {
    return this.askAnywhere(method, `${REALTIME}${path}`, body, options);
  }

  /** The same for any address of the API. `body` is text, or is made JSON. */
  async askAnywhere(method, path, body, { token = this.server.adminToken, type = "application/json", headers = {} } = {}) {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    if (token !== null) headers = { authorization: `Bearer ${token}`, ...headers };
    if (text !== undefined && type) headers = { "content-type": type, ...headers };
    const response = await fetch(`${this.server.origin}/api:meta${path}`, { method, headers, body: text });
    const told = await response.text();
    const answer = { status: response.status, headers: response.headers, body: told && JSON.parse(told) };
    const faults = this.contract.check({ method, path, type: text === undefined ? undefined : type, body: text }, answer);
    return { ...answer, faults };
  }

  /** Asks for what has to be carried out; the answer's body. */
  async ok(method, path, body, options) {
    const answer = await this.ask(method, path, body, options);
    assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Asks for what has to be refused with a status, and with a message that has these words. */
  async refused(status, words, method, path, body, options) {
    const answer = await this.ask(method, path, body, options);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.message, words);
    return answer.body;
  }

  /** Makes an access token; what it is for the API, and the token itself. */
  accessToken(...scopes) {
    return this.ok("POST", "/token", { name: scopes.join(" and "), scopes });
  }

  /** What the program prints to the standard output with these arguments. */
  async command(...args) {
    const all = [...args, "--data-dir", this.server.folder];
    return (await promisify(execFile)(process.env.XANO_SERVER_BIN, all)).stdout.trim();
  }

  connect(token) {
    return Client.open(`${this.server.origin.replace("http", "ws")}/rt/${this.server.hash}`, token);
  }

  /** A client in a channel; for a row of table 1, or anonymous. */
  async joined({ row, table = 1, channel = "open" } = {}) {
    const token = row && (await this.command("token", "--table-id", String(table), "--row-id", String(row)));
    const client = await this.connect(token);
    client.send({ action: "join", options: { channel }, payload: { history: false, presence: false } });
    assert.equal((await client.read("join")).action, "join");
    return client;
  }
}
