import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { waitFor } from "./support/chat.js";
import { Page, ROOM } from "./support/page.js";
import { StagedServer } from "./support/staged-server.js";
import { withBrowserAndServer } from "./support/suite.js";

const CLIENT = { socketId: "loki", extras: {}, permissions: { dbo_id: 0, row_id: 0 } };
const message = (payload, more) => ({ action: "message", client: CLIENT, options: { channel: ROOM }, payload, ...more });
const FEATURES = ["ack", "batch", "history", "ping", "resume"];
/** The answer of a server that numbers what it sends and keeps nothing. */
const joined = (seq) => ({
  action: "join",
  client: null,
  options: { channel: ROOM },
  payload: { client: CLIENT, features: FEATURES, pingInterval: 25_000, epoch: "first", seq, history: false, resumed: false },
});

describe("frames that come as one message", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  /** A page whose server says only what the test has it say. */
  const open = async (t) => {
    const staged = await StagedServer.start({ tls: false });
    staged.silent = true;
    t.after(() => staged.dispose());
    const page = await Page.open(browser, server, { origin: `http://127.0.0.1:${staged.port}`, hash: "any" });
    page.warnings = [];
    page.tab.on("console", (text) => text.type() === "warning" && page.warnings.push(text.text()));
    t.after(() => page.close());
    await waitFor(() => staged.channels("join").length === 1, () => "it joins");
    return { page, staged };
  };
  const told = async (page) => (await page.evaluate(() => heard)).slice(1).map(({ action, payload }) => (action === "message" ? payload : action));

  test("are asked for in each join, and heard in order, the answer to the join first", async (t) => {
    const { page, staged } = await open(t);
    assert.deepEqual(staged.frames[0].payload, { history: false, presence: false, batch: true });
    staged.say([joined(4), message("one", { seq: 5 }), message("private"), message("two", { seq: 6 })]);
    staged.say(message("alone", { seq: 7 }));
    await page.until("message", 4);
    assert.deepEqual(await told(page), ["join", "one", "private", "two", "alone"]);
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
    assert.equal("client" in (await page.heard("join"))[0], true);
    assert.equal(await page.evaluate(() => heard[1].client), undefined, "null is no client, as ever");
    assert.deepEqual(page.warnings, []);
  });

  test("are each judged by their number: what is missing between them is told, what came before is not", async (t) => {
    const { page, staged } = await open(t);
    staged.say([joined(4), message("five", { seq: 5 }), message("eight", { seq: 8 }), message("five again", { seq: 5 }), message("nine", { seq: 9 })]);
    await page.until("message", 3);
    assert.deepEqual(await told(page), ["join", "five", "gap", "eight", "nine"]);
    const [{ payload }] = await page.heard("gap");
    assert.deepEqual(payload, { reason: "history_too_short", missed: 2, from: 6, to: 7 });
  });

  test("are not harmed by one among them that is none, which is told once", async (t) => {
    const { page, staged } = await open(t);
    staged.say([null, 7, joined(0), "text", message("one"), [message("too deep")], {}, message("elsewhere", { options: { channel: 7 } }), message("two")]);
    staged.say([]);
    staged.say([message("three")]);
    await page.until("message", 3);
    assert.deepEqual(await told(page), ["join", "one", "two", "three"]);
    await waitFor(() => page.warnings.length > 0, () => "a warning");
    assert.equal(page.warnings.length, 1);
    assert.match(page.warnings[0], /no frame of this protocol/);
  });

  test("go to who listens when it is their turn", async (t) => {
    const { page, staged } = await open(t);
    await page.evaluate(() => {
      room.on("message", ({ payload }) => {
        if (payload === "throw") throw new Error("a listener's own fault");
        if (payload === "more") room.on("message", ({ payload }) => heard.push({ action: "message", payload: `more: ${payload}` }));
        if (payload === "send") say("sent from within");
        if (payload === "end") room.destroy();
      });
    });
    staged.say([joined(0), ...["throw", "more", "send", "end", "unheard"].map((payload) => message(payload))]);
    await waitFor(() => staged.channels("leave").length === 1 || page.evaluate(() => client.status === "idle"), () => "it leaves");
    assert.deepEqual(await told(page), ["join", "throw", "more", "send", "more: send", "end"]);
    assert.deepEqual(staged.payloads(), ["sent from within"]);
    assert.deepEqual(page.tab.problems.splice(0), ["Error: a listener's own fault"]);
  });
});
