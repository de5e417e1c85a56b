import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser, openTab } from "./support/browser.js";
import { Chat } from "./support/chat.js";
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
    await stranded.statusSays(/no server answers/i);
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
