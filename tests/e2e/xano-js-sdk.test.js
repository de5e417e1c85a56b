import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser, openTab } from "./support/browser.js";
import { Chat, waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

// @xano/js-sdk speaks to wss on port 443 only; the browser is told that this host lives elsewhere.
const HOST = "xano.test";

describe("the unmodified @xano/js-sdk", () => {
  let browser;
  let server;

  before(async () => {
    const { XANO_TEST_CERT: cert, XANO_TEST_KEY: key } = process.env;
    assert.ok(cert && key, "XANO_TEST_CERT and XANO_TEST_KEY must name a certificate; `npm test` makes one");
    server = await Server.start({ options: ["--tls-cert", cert, "--tls-key", key] });
    const rules = `--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}`;
    browser = await launchBrowser(rules, "--ignore-certificate-errors");
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const openOldSdk = async (options = {}) => {
    // Any page will do; the script is the one that npm installed.
    const page = await openTab(browser, `https://${HOST}/healthz`);
    await page.addScriptTag({ path: fileURLToPath(import.meta.resolve("@xano/js-sdk/dist/xano.min.js")) });
    await page.evaluate(
      ({ host, hash, options }) => {
        window.heard = [];
        const config = { instanceBaseUrl: `https://${host}/`, realtimeConnectionCanonical: hash };
        window.client = new XanoClient(config);
        window.room = client.channel("marvel-chat-room", options);
        room.on((action) => heard.push(action), (error) => heard.push(error));
      },
      { host: HOST, hash: server.hash, options },
    );
    page.heard = (action) => page.evaluate((name) => heard.filter((one) => one.action === name), action);
    await waitFor(async () => (await page.heard("join")).length > 0, () => "the old SDK has joined");
    return page;
  };

  test("chats with ours", async () => {
    const ours = new Chat(await openTab(browser, `https://${HOST}/`));
    await ours.connected();
    const old = await openOldSdk({ presence: true });
    await ours.peopleHere(2);
    await old.evaluate(() => room.message("Hello World!"));
    await ours.shows(["Hello World!"]);
    await ours.say("hello old friend");
    await waitFor(async () => (await old.heard("message")).length === 2, () => "the old SDK has both messages");
    const [own, other] = await old.heard("message");
    assert.equal(own.payload, "Hello World!");
    assert.deepEqual(Object.keys(other), ["action", "client", "options", "payload"]);
    assert.match(JSON.stringify(other.payload), /hello old friend/);
    assert.deepEqual(other.options, { authenticated: false, socketId: null, channel: "marvel-chat-room" });
    assert.deepEqual(other.client.permissions, { dbo_id: 0, row_id: 0 });
    ours.noProblems();
    await old.context().close();
    await ours.peopleHere(1);
    await ours.page.context().close();
  });

  test("reads history and presence, and hears who comes and goes", async () => {
    const first = await openOldSdk({ presence: true, history: true });
    await first.evaluate(() => room.message({ kept: true }));
    await waitFor(async () => (await first.heard("message")).length === 1, () => "the message came back");
    const second = await openOldSdk({ presence: true, history: true });
    await waitFor(async () => (await second.heard("presence_full")).length === 1, () => "the roster came");
    const [history] = await second.heard("history");
    assert.deepEqual(history.payload.history.at(-1).payload, { kept: true });
    const here = () => first.evaluate(() => room.getPresence().map((client) => client.socketId));
    await waitFor(async () => (await here()).length === 2, () => "the first sees two");
    await second.evaluate(() => room.destroy());
    await waitFor(async () => (await here()).length === 1, () => "the first sees one");
    const updates = (await first.heard("presence_update")).map((update) => update.payload.action);
    assert.deepEqual(updates, ["join", "leave"]);
    await Promise.all([first.context().close(), second.context().close()]);
  });

  test("comes back by itself when the server restarts", async () => {
    const page = await openOldSdk();
    await server.stop();
    await server.restart();
    await waitFor(async () => (await page.heard("join")).length === 2, () => "the old SDK has joined again");
    const statuses = (await page.heard("connection_status")).map((one) => one.payload.status);
    assert.equal(statuses.at(-1), "connected");
    await page.context().close();
  });
});
