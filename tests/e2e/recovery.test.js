import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser, openTab } from "./support/browser.js";
import { Chat, waitFor } from "./support/chat.js";
import { Line } from "./support/line.js";
import { Server } from "./support/server.js";

describe("when something is wrong the page says what, and recovers", () => {
  let browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  test("the server goes away and comes back", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const chat = new Chat(await openTab(browser, `${server.origin}/`));
    await chat.connected();
    await server.stop();
    await chat.statusSays(/trying again/i);
    await chat.say("written while the server was away");
    await server.restart();
    await chat.connected();
    await chat.shows(["written while the server was away"]);
    chat.noProblems();
  });

  test("the server is killed and comes back", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const chat = new Chat(await openTab(browser, `${server.origin}/`));
    await chat.connected();
    await server.stop("SIGKILL");
    await chat.statusSays(/trying again/i);
    await server.restart();
    await chat.connected();
  });

  test("what was under way when the server died is sent again by itself, before what came later", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    const chat = new Chat(page);
    await chat.connected();
    await server.pause();
    await chat.say("in flight");
    await chat.room().locator('[data-delivery="sending"]').waitFor();
    await server.stop("SIGKILL");
    await chat.statusSays(/trying again/i);
    await chat.say("queued");
    await server.restart();
    await chat.connected();
    await chat.delivered();
    const witness = new Chat(await openTab(browser, `${server.origin}/`));
    await witness.connected();
    for (const each of [chat, witness]) await each.shows(["in flight", "queued"]);
    chat.noProblems();
  });

  test("what the server refused is marked, and can be sent again", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    const chat = new Chat(page);
    await chat.connected();
    const allow = (client_public_messaging) => {
      const channel = { pattern: "marvel-chat-room", anonymous_clients: true, presence: true, history: 100, client_public_messaging };
      return server.admin("PUT", "", { channels: [channel] });
    };
    await allow(false);
    await chat.say("not now");
    const refused = chat.room().locator('[data-delivery="failed"]');
    await refused.waitFor();
    await allow(true);
    await refused.getByTestId("retry").click();
    await refused.waitFor({ state: "detached" });
    await chat.delivered();
    await chat.shows(["not now"]);
    chat.noProblems();
  });

  test("what was missed for good is told in its place", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const query = new URLSearchParams({ base: line.origin, hash: server.hash });
    const chat = new Chat(await openTab(browser, `${server.origin}/?${query}`));
    await chat.connected();
    await chat.say("before");
    await chat.delivered();
    line.cut();
    await chat.statusSays(/trying again/i);
    const other = await openTab(browser, `${server.origin}/healthz`);
    await other.addScriptTag({ path: fileURLToPath(new URL("../../dist/xano.min.js", import.meta.url)) });
    await other.evaluate(async ({ origin, hash }) => {
      const channel = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash }).channel("marvel-chat-room");
      await Promise.all(Array.from({ length: 103 }, (_, number) => channel.message(`missed ${number}`)));
    }, { origin: server.origin, hash: server.hash });
    line.mend();
    await chat.connected();
    await waitFor(async () => (await chat.texts()).length === 101, async () => `101 messages are shown; there are ${(await chat.texts()).length}`);
    assert.match(await chat.room().getByTestId("note").innerText(), /; 3 messages are missing here; 100 messages were filled in after that\.$/);
    assert.equal((await chat.texts())[1], "missed 3");
    chat.noProblems();
  });

  test("who does not want to wait tries now", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    await page.clock.install();
    await page.reload();
    const chat = new Chat(page);
    await chat.connected();
    await server.stop();
    await chat.statusSays(/trying again/i);
    // From here on the page's own timers never fire.
    await page.clock.pauseAt(Date.now() + 1_000);
    await server.restart();
    await page.getByTestId("try-again").click();
    await chat.connected();
  });

  test("no server answers, until one does", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    const chat = new Chat(page);
    await chat.connected();
    await server.stop();
    const query = new URLSearchParams({ base: server.origin, hash: server.hash });
    const url = new URL(`../../www/demo/index.html?${query}`, import.meta.url).href;
    const stranded = new Chat(await openTab(browser, url));
    await stranded.statusSays(/cannot connect to http:/i);
    await server.restart();
    await stranded.connected();
  });

  test("a wrong hash is named, and the right one helps", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const query = new URLSearchParams({ base: server.origin, hash: "wrong" });
    const page = await openTab(browser, `${server.origin}/?${query}`);
    const chat = new Chat(page);
    await chat.statusSays(/does not know this connection hash/i);
    await page.getByTestId("open-settings").click();
    await page.getByTestId("connection-hash").fill(server.hash);
    await page.getByTestId("submit").click();
    await chat.connected();
    await chat.say("found it");
    await chat.shows(["found it"]);
  });

  test("where nothing can be sent the field says why, and keeps what is written", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    const chat = new Chat(page);
    await chat.connected();
    const field = chat.room().getByTestId("message-input");
    await field.fill("not sent yet");
    const use = async (hash) => {
      await page.getByTestId("open-settings").click();
      await page.getByTestId("connection-hash").fill(hash);
      await page.getByTestId("submit").click();
    };
    await use("wrong");
    await chat.statusSays(/does not know this connection hash/i);
    assert.equal(await field.isDisabled(), true);
    assert.match(await field.getAttribute("placeholder"), /unknown hash/i);
    assert.match(await chat.room().getByTestId("message-hint").innerText(), /unknown hash/i);
    assert.equal(await field.inputValue(), "not sent yet");
    await use(server.hash);
    await chat.connected();
    await field.press("Enter");
    await chat.shows(["not sent yet"]);
  });

  test("an address that cannot be right is refused with words, and https is doubted", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const query = new URLSearchParams({ base: server.origin.replace("http:", "https:"), hash: server.hash });
    const page = await openTab(browser, new URL(`../../www/demo/index.html?${query}`, import.meta.url).href);
    const chat = new Chat(page);
    await chat.statusSays(/cannot connect to https:.*is it http rather than https/i);
    await page.getByTestId("try-again").waitFor();
    await page.getByTestId("status-settings").click();
    for (const [typed, words] of [
      ["ftp://example.org", /begin with http/],
      ["file:///etc/hosts", /begin with http/],
      ["http://local host:8787", /no spaces/],
      ["http://", /no address/],
      ["", /missing/],
    ]) {
      await page.getByTestId("base-url").fill(typed);
      await page.getByTestId("submit").click();
      assert.match(await page.getByTestId("form-error").innerText(), words, typed);
    }
    await page.keyboard.press("Escape");
    await chat.room().waitFor();
    await page.getByTestId("open-settings").click();
    await page.getByTestId("base-url").fill(server.origin.replace("http://", ""));
    await page.getByTestId("submit").click();
    await chat.connected();
  });

  test("a channel that does not exist is named to the one who opened it", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const page = await openTab(browser, `${server.origin}/`);
    const error = await page.evaluate(
      ({ origin, hash }) =>
        new Promise((resolve) => {
          const client = new XanoClient({ instanceBaseUrl: origin, realtimeConnectionHash: hash });
          client.channel("no-such-channel").on(() => {}, resolve);
        }),
      server,
    );
    assert.deepEqual(error.payload, { message: "Channel not found.", code: "channel_not_found", action: "join" });
    assert.deepEqual({ ...error.options }, { channel: "no-such-channel" });
  });

  test("realtime that is switched off is told like a wrong hash", async (t) => {
    const server = await Server.start({ demo: false });
    t.after(() => server.dispose());
    const query = new URLSearchParams({ base: server.origin, hash: server.hash });
    const chat = new Chat(await openTab(browser, `${server.origin}/?${query}`));
    await chat.statusSays(/does not know this connection hash/i);
  });
});
