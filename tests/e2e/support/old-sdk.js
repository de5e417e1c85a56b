import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { launchBrowser, openTab } from "./browser.js";
import { waitFor } from "./chat.js";

/** @xano/js-sdk speaks to wss on port 443 only; its homes are told that this host lives elsewhere. */
export const HOST = "xano.test";

/**
 * Somebody who uses the unmodified @xano/js-sdk, or ours, in a JavaScript world of their own: the old SDK
 * has one connection for all of a world. What they do is a function of `me`, which may use nothing else.
 */
class Person {
  /** Makes the client; without settings of its own, one for the server's address and hash. */
  async start(server, config) {
    this.hash = server.hash;
    await this.do(
      (me, config) => {
        me.heard = [];
        me.errors = [];
        me.client = new me.Client(config);
        /** What is thrown, as text. */
        me.thrown = (act) => {
          try {
            act();
            return null;
          } catch (error) {
            return String(error);
          }
        };
        me.open = (name, options) => {
          const channel = me.client.channel(name, options);
          // Copies: what the SDK hands out may change later, and hold itself.
          const keep = (list) => (action) => list.push({ ...JSON.parse(JSON.stringify(action)), keys: Object.keys(action) });
          channel.on(keep(me.heard), keep(me.errors));
          return channel;
        };
      },
      { instanceBaseUrl: `https://${HOST}/`, realtimeConnectionCanonical: server.hash, ...config },
    );
    return this;
  }

  /** Opens a channel as `me.room`, and waits until the server has answered the join. */
  async joins(name, options) {
    await this.do((me, [name, options]) => void (me.room = me.open(name, options)), [name, options]);
    await this.until("join", (one) => one.options.channel === name);
    return this;
  }

  async heard(action) {
    return this.do((me, action) => me.heard.filter((one) => one.action === action), action);
  }

  async errors() {
    return this.do((me) => me.errors);
  }

  /** The first action of this name that fits. */
  async until(action, fits = () => true) {
    const find = async () => (await this.heard(action)).find(fits);
    await waitFor(find, async () => `${action} is heard; this was: ${JSON.stringify(await this.do((me) => me.heard)).slice(0, 2_000)}`);
    return find();
  }

  async untilError(fits = () => true) {
    const find = async () => (await this.errors()).find(fits);
    await waitFor(find, async () => `an error is heard; these were: ${JSON.stringify(await this.errors())}`);
    return find();
  }

  async statuses() {
    return (await this.heard("connection_status")).map((one) => one.payload.status);
  }

  /** Who is there, as `me.room` knows it. */
  async presence() {
    return this.do((me) => me.room.getPresence().map(({ socketId, extras, permissions }) => ({ socketId, extras, permissions })));
  }

  async untilPresent(count) {
    await waitFor(async () => (await this.presence()).length === count, async () => `${count} are there: ${JSON.stringify(await this.presence())}`);
  }

  /** The frames the SDK has sent so far, as text. */
  async sent() {
    return this.do((me) => me.sent);
  }
}

class NodePerson extends Person {
  #worker;
  #asked = 0;

  constructor(worker) {
    super();
    this.#worker = worker;
    worker.setMaxListeners(0);
  }

  async do(act, argument) {
    const id = (this.#asked += 1);
    const answer = new Promise((resolve, reject) => {
      const listen = (message) => {
        if (message.id !== id) return;
        this.#worker.off("message", listen);
        if (message.error === undefined) resolve(message.value);
        else reject(new Error(message.error));
      };
      this.#worker.on("message", listen);
    });
    this.#worker.postMessage({ id, code: String(act), argument });
    return answer;
  }

  async end() {
    await this.#worker.terminate();
  }
}

class TabPerson extends Person {
  #page;
  #prepare;
  #arguments;

  constructor(page, prepare) {
    super();
    this.#page = page;
    this.#prepare = prepare;
  }

  async start(...args) {
    this.#arguments = args;
    await this.#prepare(this.#page);
    return super.start(...args);
  }

  /** Loads the page anew; nobody is told this time who the person is. */
  async reload() {
    const [server, { realtimeAuthToken: _, ...config }] = this.#arguments;
    await this.#page.reload();
    await this.start(server, config);
  }

  async offline(offline) {
    await this.#page.context().setOffline(offline);
    await waitFor(() => this.#page.evaluate((offline) => navigator.onLine !== offline, offline), () => "the page has heard of it");
  }

  async do(act, argument) {
    return this.#page.evaluate(([code, argument]) => (0, eval)(`(${code})`)(window.me, argument), [String(act), argument]);
  }

  async end() {
    await this.#page.context().close();
  }
}

/** People whose programs run in Node. */
export class InNode {
  name = "in Node";
  #sdk;

  constructor(sdk = "theirs") {
    this.#sdk = sdk;
  }

  /** `hosts` names further servers. */
  async open(server, config, hosts = {}) {
    const ports = { [HOST]: server.port, ...Object.fromEntries(Object.entries(hosts).map(([host, { port }]) => [host, port])) };
    const workerData = { sdk: this.#sdk, ports, certificate: process.env.XANO_TEST_CERT };
    const worker = new Worker(new URL("old-sdk-worker.js", import.meta.url), { workerData });
    await once(worker, "message");
    return new NodePerson(worker).start(server, config);
  }

  async close() {}
}

const SCRIPTS = {
  // The script is the one that npm installed.
  theirs: fileURLToPath(import.meta.resolve("@xano/js-sdk/dist/xano.min.js")),
  ours: fileURLToPath(new URL("../../../dist/xano.min.js", import.meta.url)),
};

/** People who look at pages in a real Chromium. */
export class InChromium {
  name = "in Chromium";
  #browser;
  #sdk;

  constructor(sdk = "theirs") {
    this.#sdk = sdk;
  }

  async open(server, config = {}) {
    const rules = `--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}`;
    this.#browser ??= await launchBrowser(rules, "--ignore-certificate-errors");
    // Any page will do.
    const page = await openTab(this.#browser, `https://${HOST}/healthz`);
    const prepare = async () => {
      await page.addScriptTag({ path: SCRIPTS[this.#sdk] });
      await page.evaluate(() => {
        window.me = { Client: XanoClient, sdk: window, sent: [], sockets: [] };
        window.WebSocket = class extends WebSocket {
          constructor(...how) {
            super(...how);
            me.sockets.push(this);
          }

          send(text) {
            me.sent.push(text);
            super.send(text);
          }
        };
      });
    };
    return new TabPerson(page, prepare).start(server, config);
  }

  /** A tab with one of our own pages. */
  async openPage(path) {
    return openTab(this.#browser, `https://${HOST}${path}`);
  }

  async close() {
    await this.#browser?.close();
  }
}

/** Asks the Metadata API of a server whose certificate only the tests know. */
export async function administer(server, method, path, body) {
  const asking = request(`https://localhost:${server.port}/api:meta/workspace/1/realtime${path}`, {
    method,
    ca: readFileSync(process.env.XANO_TEST_CERT),
    headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
    lookup: (_, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)),
  });
  asking.end(JSON.stringify(body));
  const [response] = await once(asking, "response");
  const text = (await response.setEncoding("utf8").toArray()).join("");
  assert.ok(response.statusCode < 300, `${method} ${path} is answered with ${response.statusCode}: ${text}`);
  return JSON.parse(text);
}
