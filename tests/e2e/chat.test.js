import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "../conformance/transcript.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { Chat, waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

describe("the Marvel chat", () => {
  let browser;
  let server;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  const fresh = async (t) => {
    server = await Server.start();
    t.after(() => server.dispose());
  };
  const open = async (url = `${server.origin}/`) => {
    const chat = new Chat(await openTab(browser, url));
    await chat.connected();
    return chat;
  };

  test("two tabs chat, and each sees both messages once", async (t) => {
    await fresh(t);
    const [wanda, thor] = [await open(), await open()];
    await wanda.say("Hello from Wanda");
    await thor.shows(["Hello from Wanda"]);
    await thor.say("Hello from Thor");
    for (const chat of [wanda, thor]) {
      await chat.shows(["Hello from Wanda", "Hello from Thor"]);
      assert.equal(await chat.own(), 1);
      chat.noProblems();
    }
  });

  test("a third who comes late gets history and presence, and one who goes is gone", async (t) => {
    await fresh(t);
    const [wanda, thor] = [await open(), await open()];
    await wanda.say("one");
    await thor.shows(["one"]);
    await thor.say("two");
    await wanda.shows(["one", "two"]);
    const late = await open();
    await late.shows(["one", "two"]);
    for (const chat of [wanda, thor, late]) await chat.peopleHere(3);
    await thor.page.context().close();
    for (const chat of [wanda, late]) await chat.peopleHere(2);
    late.noProblems();
  });

  test("a refresh keeps what was said, and whose it was", async (t) => {
    await fresh(t);
    const wanda = await open();
    await wanda.say("before the refresh");
    await wanda.shows(["before the refresh"]);
    await wanda.delivered();
    await wanda.page.reload();
    await wanda.connected();
    await wanda.shows(["before the refresh"]);
    assert.equal(await wanda.own(), 1);
  });

  test("the rooms are two", async (t) => {
    await fresh(t);
    const [wanda, bruce] = [await open(), await open()];
    await bruce.say("to the other room", "dc-chat-room");
    await wanda.shows(["to the other room"], "dc-chat-room");
    await wanda.shows([]);
  });

  test("text from the network is only ever text", async (t) => {
    await fresh(t);
    const [wanda, thor] = [await open(), await open()];
    const markup = `<img src=x onerror="document.title='owned'"><b>bold</b>`;
    await wanda.say(markup);
    await thor.shows([markup]);
    assert.equal(await thor.room().locator("img[src=x], b").count(), 0);
    assert.notEqual(await thor.page.title(), "owned");
  });

  test("who has not spoken is a guest, and the page says until when", async (t) => {
    await fresh(t);
    const [wanda, thor] = [await open(), await open()];
    const note = wanda.room().getByTestId("presence-note");
    await note.waitFor();
    await thor.say("It is me");
    await note.waitFor({ state: "hidden" });
  });

  test("on a phone the hero has a name for those who listen, and the choice starts at the hero", async (t) => {
    await fresh(t);
    const page = await openTab(browser, `${server.origin}/`, { viewport: { width: 360, height: 740 } });
    await new Chat(page).connected();
    const hero = await page.locator("#hero-name").textContent();
    await page.getByRole("button", { name: `You are ${hero}, change` }).press("Enter");
    assert.equal(await page.locator(":focus").getAttribute("data-hero"), hero);
  });

  test("data that nobody can show does not hide what others say", async (t) => {
    await fresh(t);
    const wanda = await open();
    await wanda.say("before");
    await wanda.shows(["before"]);
    await wanda.delivered();
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const client = await Client.open(`${server.origin.replace("http", "ws")}/rt/${server.hash}`);
    client.sendText(`{"action":"join","options":{"channel":"marvel-chat-room"}}`);
    client.sendText(`{"action":"message","options":{"channel":"marvel-chat-room"},"payload":${deep}}`);
    const showsBoth = async (chat, count) => {
      const isThere = async () => {
        const texts = await chat.texts();
        return texts.length === count && texts[0] === "before" && texts[1].length < 10_000;
      };
      await waitFor(isThere, () => `${count} messages are shown, the deep one cut short`);
    };
    await showsBoth(wanda, 2);
    client.end();
    await wanda.say("after");
    await showsBoth(wanda, 3);
    const late = await open();
    await showsBoth(late, 3);
  });

  test("the page works from disk", async (t) => {
    await fresh(t);
    const fromServer = await open();
    const file = new URL("../../www/demo/index.html", import.meta.url);
    const page = await openTab(browser, `file://${fileURLToPath(file)}`);
    await page.getByTestId("base-url").fill(server.origin);
    await page.getByTestId("connection-hash").fill(server.hash);
    await page.getByTestId("submit").click();
    const fromDisk = new Chat(page);
    await fromDisk.connected();
    await fromDisk.say("from disk");
    await fromServer.shows(["from disk"]);
    fromDisk.noProblems();
  });

  test("the console tells the connection's status", async (t) => {
    await fresh(t);
    const wanda = await open();
    assert.ok(wanda.page.lines.some((line) => /connection_status/.test(line) && /connected/.test(line)), wanda.page.lines);
  });
});
