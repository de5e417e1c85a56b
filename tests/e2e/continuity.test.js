import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";

import { waitFor } from "./support/chat.js";
import { Line } from "./support/line.js";
import { Page, ROOM } from "./support/page.js";
import { Server } from "./support/server.js";
import { withBrowserAndServer } from "./support/suite.js";

const run = promisify(execFile);

describe("continuity in a browser", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const openLine = async (t, to = server) => {
    const line = await Line.to(to);
    t.after(() => line.dispose());
    return line;
  };

  test("what was missed while the server was killed and restarted comes in order, each once", async (t) => {
    const own = await Server.start();
    t.after(() => own.dispose());
    const line = await openLine(t, own);
    const page = await Page.open(browser, own, { origin: line.origin, options: { history: true } });
    await page.until("history");
    const witness = await Page.open(browser, own);
    await witness.say("before");
    await page.until("message");
    line.cut();
    await own.stop("SIGKILL");
    await own.restart();
    await witness.until("join", 2);
    await witness.say("missed 1");
    await witness.say("missed 2");
    line.mend();
    await page.until("join", 2);
    await witness.say("live");
    await page.until("message", 4);
    assert.deepEqual(await page.payloads(), ["before", "missed 1", "missed 2", "live"]);
    assert.deepEqual(await witness.payloads(), ["before", "missed 1", "missed 2", "live"]);
    const [first, second] = await page.payloads("join");
    assert.equal(second.resumed, true);
    assert.notEqual(second.epoch, first.epoch, "the server has restarted");
    assert.equal((await page.heard("history")).length, 1, "it is not told twice");
    assert.deepEqual(await page.heard("gap"), []);
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
    await Promise.all([page.close(), witness.close()]);
  });

  test("what cannot be had any more is told, with its number", async (t) => {
    const line = await openLine(t);
    // Somebody stays, or an empty channel would be forgotten, and its numbering with it.
    const witness = await Page.open(browser, server);
    await witness.until("join");
    const page = await Page.open(browser, server, { origin: line.origin });
    await page.until("join");
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
    const [{ seq }] = await page.payloads("join");
    line.cut();
    await page.until("connection_status", 2);
    // The channel keeps 100.
    await witness.say(...Array.from({ length: 120 }, (_, number) => `missed ${number}`));
    line.mend();
    await page.until("gap");
    const [gap] = await page.heard("gap");
    assert.deepEqual(gap.options, { channel: ROOM });
    assert.deepEqual(gap.payload, { reason: "history_too_short", missed: 120, from: seq + 1, to: seq + 120 });
    assert.equal(await page.evaluate(() => room.continuity), "gap");
    await witness.say("live");
    await page.until("message");
    assert.deepEqual(await page.payloads(), ["live"]);
    const missed = await page.evaluate(async ({ to }) => {
      const { history, more } = await room.history({ before: to + 1, limit: 3 });
      return { more, payloads: history.map(({ payload }) => payload) };
    }, gap.payload);
    assert.deepEqual(missed, { more: true, payloads: ["missed 117", "missed 118", "missed 119"] });
    assert.deepEqual(await page.heard("history"), [], "a page is for who asked for it");
    await Promise.all([page.close(), witness.close()]);
  });

  test("a message whose answer got lost with the connection is published once", async (t) => {
    const line = await openLine(t);
    const page = await Page.open(browser, server, { origin: line.origin });
    const witness = await Page.open(browser, server);
    await Promise.all([page.until("join"), witness.until("join")]);
    line.mute();
    await page.evaluate(() => say("published, but who knows"));
    await witness.until("message");
    line.cut();
    await page.until("connection_status", 2);
    await page.evaluate(() => say("written without a connection"));
    line.mend();
    await witness.until("message", 2);
    await waitFor(async () => (await page.receipts()).every(({ state }) => state === "kept"), async () => `both are kept: ${JSON.stringify(await page.receipts())}`);
    const published = await witness.heard("message");
    assert.deepEqual(published.map(({ payload }) => payload), ["published, but who knows", "written without a connection"]);
    const receipts = (await page.receipts()).map(({ id, seq, ts }) => ({ id, seq, ts }));
    assert.deepEqual(receipts, published.map(({ id, seq, ts }) => ({ id, seq, ts })));
    await page.until("message", 2);
    assert.deepEqual(await page.heard("message"), published, "and comes back to its sender once");
    await Promise.all([page.close(), witness.close()]);
  });

  test("after a sleep so long that the server may have forgotten, nothing is published twice, but told", async (t) => {
    const line = await openLine(t);
    const page = await Page.open(browser, server, { origin: line.origin });
    const witness = await Page.open(browser, server);
    await Promise.all([page.until("join"), witness.until("join")]);
    line.mute();
    await page.evaluate(() => say("before the sleep"));
    await witness.until("message");
    // The steady clock of a page may stand still while the device sleeps; the wall clock never does.
    await page.evaluate(() => {
      const { now } = Date;
      Date.now = () => now() + 3_600_000;
    });
    line.cut();
    await page.until("connection_status", 2);
    await page.evaluate(() => say("after it"));
    line.mend();
    await waitFor(async () => (await page.receipts()).every(({ state }) => state !== "pending"), async () => `both are settled: ${JSON.stringify(await page.receipts())}`);
    assert.deepEqual((await page.receipts()).map(({ state, code }) => [state, code]), [["refused", "delivery_unknown"], ["kept", undefined]]);
    await witness.until("message", 2);
    assert.deepEqual(await witness.payloads(), ["before the sleep", "after it"]);
    await Promise.all([page.close(), witness.close()]);
  });

  test("a refusal reaches its receipt and the listeners, and nobody has to look at either", async () => {
    const page = await Page.open(browser, server);
    await page.until("join");
    await page.evaluate(() => {
      room.message("ignored", { socketId: "nobody" });
      say("to nobody", { socketId: "nobody" });
      say("to all");
    });
    await waitFor(async () => (await page.receipts()).every(({ state }) => state !== "pending"), () => "both are settled");
    const [refused, kept] = await page.receipts();
    assert.deepEqual(refused, { state: "refused", name: "Error", message: "This kind of message is not enabled for this channel.", code: "messaging_disabled" });
    assert.equal(kept.state, "kept");
    assert.equal((await page.heard("error")).length, 2);
    assert.deepEqual(await page.heard("ack"), [], "the protocol's own frames are not for listeners");
    await page.close();
  });

  test("what was sent with a wrong hash is told, message by message", async () => {
    const page = await Page.open(browser, server, { hash: "wrong" });
    await page.evaluate(() => ["one", "two"].forEach((payload) => say(payload)));
    await waitFor(async () => (await page.receipts()).every(({ state }) => state === "refused"), () => "both are refused");
    assert.deepEqual((await page.receipts()).map(({ code }) => code), ["connection_closed", "connection_closed"]);
    const codes = (await page.payloads("error")).map(({ code }) => code);
    assert.deepEqual(codes, ["unknown_hash", "connection_closed", "connection_closed"]);
    assert.equal(await page.evaluate(() => client.status), "closed");
    assert.equal(await page.evaluate(() => room.ready.catch(({ code }) => code)), "connection_closed");
    await page.close();
  });

  test("listeners go, loops end, and a channel says when it is ready", async () => {
    const page = await Page.open(browser, server);
    const told = await page.evaluate(async () => {
      await room.ready;
      const told = [];
      const abort = new AbortController();
      const one = ({ payload }) => told.push(`one: ${payload}`);
      room.on("message", one);
      room.on("message", ({ payload }) => told.push(`signal: ${payload}`), { signal: abort.signal });
      room.on("message", () => told.push("never"), { signal: AbortSignal.abort() });
      const loop = (async () => {
        for await (const { payload } of room) {
          told.push(`loop: ${payload}`);
          if (payload === 2) break;
        }
      })();
      const endless = (async () => {
        for await (const { payload } of room) told.push(`endless: ${payload}`);
        told.push("destroyed");
      })();
      await room.message(1);
      room.off("message", one);
      abort.abort();
      await room.message(2);
      await loop;
      await room.message(3);
      room.destroy();
      await endless;
      return told;
    });
    const of = (name) => told.filter((line) => line.startsWith(name));
    assert.deepEqual(of("one"), ["one: 1"]);
    assert.deepEqual(of("signal"), ["signal: 1"]);
    assert.deepEqual(of("loop"), ["loop: 1", "loop: 2"]);
    assert.deepEqual(of("endless"), ["endless: 1", "endless: 2", "endless: 3"]);
    assert.equal(told.at(-1), "destroyed");
    assert.ok(!told.includes("never"));
    await page.close();
  });

  test("a loop that cannot keep up is told, behind what it could", async () => {
    const page = await Page.open(browser, server);
    const told = await page.evaluate(async () => {
      await room.ready;
      const messages = room[Symbol.asyncIterator]();
      const first = messages.next();
      for (let number = 0; number < 1_010; number += 1) await room.message(number);
      let read = [(await first).value.payload];
      try {
        for await (const { payload } of messages) read.push(payload);
      } catch ({ code }) {
        return { code, count: read.length, last: read.at(-1) };
      }
    });
    assert.deepEqual(told, { code: "buffer_full", count: 1_001, last: 1_000 });
    await page.close();
  });

  test("whatever brings the page back tries at once, although its timers never fire", async (t) => {
    const line = await openLine(t);
    const page = await Page.open(browser, server, { origin: line.origin });
    await page.until("join");
    await page.tab.clock.install();
    let joins = 1;
    for (const [target, event] of [["window", "online"], ["window", "pageshow"], ["document", "visibilitychange"]]) {
      line.cut();
      await page.until("connection_status", 2 * joins);
      await page.tab.clock.pauseAt(Date.now() + joins * 60_000);
      await waitFor(() => page.evaluate(() => client.status === "waiting"), () => "no attempt is under way");
      line.mend();
      const bubbles = true;
      await page.evaluate(([target, event, bubbles]) => globalThis[target].dispatchEvent(new Event(event, { bubbles })), [target, event, bubbles]);
      joins += 1;
      await page.until("join", joins);
      await page.tab.clock.resume();
    }
    await page.close();
  });

  test("a network that goes is noticed within seconds", async (t) => {
    const line = await openLine(t);
    const page = await Page.open(browser, server, { origin: line.origin });
    await page.until("join");
    // Nobody says that the line is dead.
    line.mute();
    await page.evaluate(() => dispatchEvent(new Event("offline")));
    const begun = Date.now();
    await page.until("connection_status", 2);
    assert.ok(Date.now() - begun < 10_000, "by its silence alone it would take 15 s and more");
    const [, lost] = await page.payloads("connection_status");
    assert.equal(lost.reason, "the server stopped answering");
    await page.close();
  });

  test("a token function is asked before every connection, and the end of the client is one", async () => {
    const page = await Page.open(browser, server);
    const tokens = await Promise.all(
      ["7", "8"].map(async (row) => {
        const args = ["token", "--data-dir", server.folder, "--table-id", "1", "--row-id", row, "--expires", "1h"];
        return (await run(process.env.XANO_SERVER_BIN, args)).stdout.trim();
      }),
    );
    const told = await page.evaluate(
      async ({ origin, hash, tokens }) => {
        const rest = [...tokens];
        const client = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash, realtimeAuthToken: async () => rest.shift() });
        const hq = client.channel("marvel-hq");
        const rows = [];
        const joined = () => new Promise((resolve) => {
          const take = ({ client }) => {
            hq.off("join", take);
            rows.push(client.permissions.row_id);
            resolve();
          };
          hq.on("join", take);
        });
        await joined();
        const again = joined();
        client.realtimeReconnect();
        await again;
        const before = client.status;
        client.destroy();
        return { rows, rest, before, after: client.status };
      },
      { ...server, origin: server.origin, hash: server.hash, tokens },
    );
    assert.deepEqual(told, { rows: [7, 8], rest: [], before: "connected", after: "idle" });
    await page.close();
  });
});
