import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { realtimeAddress } from "../../crates/sdk/js/address.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { Server } from "./support/server.js";

const SDK = fileURLToPath(new URL("../../dist/xano.min.js", import.meta.url));

describe("where a client connects to", () => {
  const address = (instanceBaseUrl) => realtimeAddress({ instanceBaseUrl, realtimeCanonical: "HASH" });

  test("scheme, host and port follow the base URL, and the path goes", () => {
    for (const [base, expected] of [
      ["https://x.xano.io", "wss://x.xano.io/rt/HASH"],
      ["https://x.xano.io/api:abc", "wss://x.xano.io/rt/HASH"],
      ["http://localhost:8787/", "ws://localhost:8787/rt/HASH"],
      [" HTTPS://x.xano.io:8443/a/b?c#d ", "wss://x.xano.io:8443/rt/HASH"],
      ["http://[::1]:80", "ws://[::1]:80/rt/HASH"],
      ["https://me:secret@x.xano.io/", "wss://x.xano.io/rt/HASH"],
      ["https://x.xano.io/@somebody", "wss://x.xano.io/rt/HASH"],
      ["wss://x.xano.io", "wss://x.xano.io/rt/HASH"],
    ]) assert.equal(address(base), expected, base);
  });

  test("what is no web address is refused", () => {
    for (const base of ["x.xano.io", "ftp://x.xano.io", "https://", "https:///rt", "http://:80", "https://me@"]) {
      assert.throws(() => address(base), { code: "invalid_base_url" }, base);
    }
  });

  test("the settings have an order, and what is no text, or an empty one, counts as none", () => {
    const config = { apiGroupBaseUrl: "https://group.io/api:1", realtimeConnectionHash: "third" };
    assert.equal(realtimeAddress(config), "wss://group.io/rt/third");
    Object.assign(config, { instanceBaseURL: "https://docs.io", realtimeCanonical: "second" });
    assert.equal(realtimeAddress(config), "wss://docs.io/rt/second");
    Object.assign(config, { instanceBaseUrl: "https://instance.io", realtimeConnectionCanonical: " first " });
    assert.equal(realtimeAddress(config), "wss://instance.io/rt/first");
    for (const none of ["", " ", null, 7, new URL("https://instance.io")]) {
      Object.assign(config, { instanceBaseUrl: none, realtimeConnectionCanonical: none });
      assert.equal(realtimeAddress(config), "wss://docs.io/rt/second");
    }
  });

  test("a missing base URL is told before a missing hash", () => {
    assert.throws(() => realtimeAddress({}), { code: "no_base_url" });
    assert.throws(() => realtimeAddress({ instanceBaseUrl: "https://x.io" }), { code: "no_canonical" });
  });
});

describe("a client's start", () => {
  let browser;
  let server;

  before(async () => {
    browser = await launchBrowser();
    server = await Server.start();
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  /** A page that writes down what is begun, in order. */
  const open = async (t) => {
    const page = await openTab(browser, `${server.origin}/healthz`);
    t.after(() => page.context().close());
    await page.evaluate(() => {
      window.seen = [];
      window.sockets = [];
      window.WebSocket = class extends WebSocket {
        constructor(...all) {
          super(...all);
          seen.push("socket");
          sockets.push(this);
        }
      };
      for (const name of ["Module", "Instance"]) {
        WebAssembly[name] = class extends WebAssembly[name] {
          constructor(...all) {
            super(...all);
            seen.push(name);
          }
        };
      }
    });
    await page.addScriptTag({ path: SDK });
    return page;
  };
  const config = (more) => ({ instanceBaseUrl: server.origin, realtimeCanonical: server.hash, ...more });

  test("the socket connects while the module is compiled, and is the only one", async (t) => {
    const page = await open(t);
    const began = await page.evaluate(async (config) => {
      const client = new XanoClient(config);
      const room = client.channel("marvel-chat-room");
      const made = seen.length;
      room.on(() => {});
      const [first] = seen;
      await room.ready;
      return { made, first, sockets: seen.filter((what) => what === "socket").length, status: client.status };
    }, config());
    assert.deepEqual(began, { made: 0, first: "socket", sockets: 1, status: "connected" });
  });

  test("a client that only asks the API starts no WebAssembly, and one that streams does", async (t) => {
    const page = await open(t);
    const started = await page.evaluate(async (config) => {
      const client = new XanoClient(config);
      await client.get("/healthz");
      const before = seen.length;
      client.channel("marvel-chat-room").off(() => {});
      client.channel("marvel-chat-room").destroy();
      client.setRealtimeAuthToken("any").setRealtimeAuthToken(null).realtimeReconnect().destroy();
      const untouched = [client.status, client.channel("a").continuity, client.channel("a").getPresence().length, seen.length];
      await client.get("/healthz", {}, {}, () => {});
      return { before, untouched, after: [...new Set(seen)] };
    }, config());
    assert.deepEqual(started, { before: 0, untouched: ["idle", "unknown", 0, 0], after: ["Module", "Instance"] });
  });

  test("a first use that fails leaves no socket behind, and the next one connects", async (t) => {
    const page = await open(t);
    const left = await page.evaluate(async (config) => {
      const client = new XanoClient(config);
      const room = client.channel("marvel-chat-room");
      const uses = [() => room.on(), () => room.message(1n), () => room.message(1n)];
      const thrown = uses.map((use) => {
        try {
          use();
        } catch (error) {
          return error.name;
        }
      });
      const { status } = client;
      const [{ readyState }] = await Promise.all(sockets);
      await room.ready;
      return { thrown, status, readyState, connected: client.status, sockets: sockets.length };
    }, config());
    const thrown = ["TypeError", "TypeError", "TypeError"];
    assert.deepEqual(left, { thrown, status: "idle", readyState: 2, connected: "connected", sockets: 2 });
  });

  test("a socket that was made for one token is not used for another", async (t) => {
    const page = await open(t);
    const made = await page.evaluate(async (config) => {
      const client = new XanoClient(config);
      // Options are read when the first socket is made and before it is taken.
      const options = { get history() { client.setRealtimeAuthToken("second"); } };
      const room = client.channel("marvel-chat-room", options);
      room.on(() => {}, () => {});
      await null;
      const states = sockets.map(({ readyState }) => readyState);
      await room.ready;
      return { states, tokens: sockets.map(({ protocol }) => protocol), status: client.status };
    }, config({ realtimeAuthToken: "first" }));
    assert.deepEqual(made, { states: [2, 0], tokens: ["", "second"], status: "connected" });
  });

  test("a page whose own addEventListener uses the client has a client that goes on", async (t) => {
    const page = await open(t);
    const used = await page.evaluate(async (config) => {
      const client = new XanoClient(config);
      const { addEventListener: add, removeEventListener: remove } = globalThis;
      const calls = { added: 0, removed: 0 };
      const thrown = [];
      globalThis.addEventListener = (...listener) => {
        calls.added += 1;
        try {
          if (calls.added === 1) client.channel("dc-chat-room").on(() => {});
        } catch (error) {
          thrown.push(String(error));
        }
        add(...listener);
      };
      globalThis.removeEventListener = (...listener) => {
        calls.removed += 1;
        remove(...listener);
      };
      const room = client.channel("marvel-chat-room");
      room.on(() => {});
      await room.ready;
      await client.channel("dc-chat-room").ready;
      client.destroy();
      while (calls.removed < calls.added) await new Promise((resolve) => setTimeout(resolve));
      return { listens: calls.added > 0, thrown };
    }, config());
    assert.deepEqual(used, { listens: true, thrown: [] });
  });

  test("a token that no sub-protocol can carry is told, and nothing is thrown", async (t) => {
    const page = await open(t);
    const told = await page.evaluate(async (config) => {
      const room = new XanoClient(config).channel("marvel-chat-room");
      return new Promise((resolve) => room.on("connection_status", ({ payload }) => resolve(payload.reason), () => {}));
    }, config({ realtimeAuthToken: "two words" }));
    assert.match(told, /refuses/);
  });

  test("where the token is asked for, no socket is made before the answer", async (t) => {
    const page = await open(t);
    const before = await page.evaluate(async (config) => {
      let sockets;
      const realtimeAuthToken = async () => {
        await null;
        sockets = seen.filter((what) => what === "socket").length;
        return null;
      };
      const room = new XanoClient({ ...config, realtimeAuthToken }).channel("marvel-chat-room");
      await room.ready;
      return sockets;
    }, config());
    assert.equal(before, 0);
  });
});
