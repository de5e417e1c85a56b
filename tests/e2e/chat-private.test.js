import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { HQ, waitFor } from "./support/chat.js";
import { Stage } from "./support/stage.js";

describe("private messages in the Marvel chat", () => {
  let browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  const unread = (chat, name) => chat.chip(name).locator(".badge:not([hidden])");
  const back = (chat) => chat.room(HQ).getByTestId("to-everyone").click();

  test("two write to each other, each sees both sides, and a third sees nothing, then or later", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki, hulk] = await stage.members("Thor", "Loki", "Hulk");
    await thor.writeTo("Loki");
    await thor.say("Where is the Tesseract?", HQ);
    await thor.delivered(HQ);
    await unread(loki, "Thor").waitFor();
    assert.equal(await loki.room(HQ).locator(".news").innerText(), "Private message from Thor");
    await loki.shows([], HQ);
    await loki.writeTo("Thor");
    await loki.shows(["Where is the Tesseract?"], HQ);
    assert.equal(await loki.conversation(HQ).getByTestId("message-author").innerText(), "Thor✓");
    assert.equal(await unread(loki, "Thor").count(), 0);
    await loki.say("What Tesseract?", HQ);
    for (const chat of [thor, loki]) {
      await chat.shows(["Where is the Tesseract?", "What Tesseract?"], HQ);
      assert.equal(await chat.own(HQ), 1);
    }
    await back(thor);
    await thor.say("to all", HQ);
    await hulk.shows(["to all"], HQ);
    await hulk.page.reload();
    await hulk.inHq();
    await hulk.shows(["to all"], HQ);
    for (const chat of [thor, loki, hulk]) chat.noProblems();
  });

  test("all tabs of both show the whole conversation", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = await stage.members("Thor", "Loki");
    const tabs = [];
    for (const chat of [thor, loki]) {
      const tab = await stage.anotherTab(chat);
      await tab.peopleHere(2, HQ);
      tabs.push(tab);
    }
    await thor.writeTo("Loki");
    await thor.say("in one tab", HQ);
    await unread(tabs[1], "Thor").waitFor();
    await loki.writeTo("Thor");
    await loki.shows(["in one tab"], HQ);
    await loki.say("in another", HQ);
    await thor.shows(["in one tab", "in another"], HQ);
    for (const [tab, other] of [[tabs[0], "Loki"], [tabs[1], "Thor"]]) {
      await tab.writeTo(other);
      await tab.shows(["in one tab", "in another"], HQ);
      assert.equal(await tab.own(HQ), 1);
    }
    for (const chat of [thor, loki, ...tabs]) chat.noProblems();
  });

  test("who has gone is shown as gone, and can be written to again when they are back", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = await stage.members("Thor", "Loki");
    await thor.writeTo("Loki");
    await thor.say("Stay", HQ);
    await thor.delivered(HQ);
    await loki.page.goto("about:blank");
    await thor.peopleHere(1, HQ);
    await waitFor(() => thor.input(HQ).isDisabled(), () => "the field is closed");
    assert.equal(await thor.input(HQ).getAttribute("placeholder"), "Loki is not here now");
    assert.equal(await thor.chip("Loki").getAttribute("data-away"), "true");
    await loki.page.goto(`${stage.server.origin}/`);
    await loki.inHq();
    await thor.peopleHere(2, HQ);
    await waitFor(() => thor.input(HQ).isEnabled(), () => "the field is open again");
    await thor.say("So you are back", HQ);
    await unread(loki, "Thor").waitFor();
    await loki.writeTo("Thor");
    await loki.shows(["So you are back"], HQ);
  });

  test("what could not be delivered is marked, told, and sent again when asked", async (t) => {
    const stage = await Stage.open(t, browser);
    const line = await stage.line();
    const [loki] = await stage.members("Loki");
    const thor = await stage.person(stage.addressOf(line.origin));
    await thor.signUp("Thor");
    await thor.isHere("Loki");
    await thor.writeTo("Loki");
    line.cut();
    await thor.statusSays(/trying again/i);
    await thor.say("Do not go", HQ);
    await thor.conversation(HQ).locator('[data-delivery="waiting"]').waitFor();
    // Back in another connection: the one that Thor's message is for is no more.
    await loki.page.reload();
    await loki.inHq();
    line.mend();
    await thor.connected();
    const failed = thor.conversation(HQ).locator('[data-delivery="failed"]');
    await failed.waitFor();
    assert.match(await thor.room(HQ).getByTestId("room-error").innerText(), /not here any more/);
    await thor.peopleHere(2, HQ);
    await failed.getByTestId("retry").click();
    await unread(loki, "Thor").waitFor();
    await loki.writeTo("Thor");
    await loki.shows(["Do not go"], HQ);
    await thor.shows(["Do not go"], HQ);
    await thor.delivered(HQ);
  });

  test("of two with one name each gets a number, and each their own conversation", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki, liar] = await stage.members("Thor", "Loki", "Loki");
    for (const chat of [loki, liar]) {
      await chat.writeTo("Thor");
      await chat.say(chat === loki ? "It is me" : "No, it is me", HQ);
      await chat.delivered(HQ);
    }
    await unread(thor, "Loki #2").waitFor();
    await thor.writeTo("Loki #2");
    await thor.shows(["It is me"], HQ);
    await thor.writeTo("Loki #3");
    await thor.shows(["No, it is me"], HQ);
  });

  test("hostile names and messages are only ever text, and no copy is believed but one's own", async (t) => {
    const stage = await Stage.open(t, browser);
    const evil = `<img src=x onerror="document.title='owned'">`;
    const [thor, loki] = await stage.members("Thor", evil);
    await loki.page.evaluate(async ({ origin, hash }) => {
      const token = Object.entries(localStorage).find(([key]) => key.endsWith("RealtimeAuthToken"))[1];
      const storage = new XanoObjectStorage();
      const channel = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash, storage, realtimeAuthToken: token }).channel("marvel-hq", { presence: true });
      await channel.ready;
      while (!channel.getPresence().length) await new Promise(requestAnimationFrame);
      const thor = channel.getPresence().find(({ extras }) => extras.name === "Thor");
      const payloads = [
        { text: "<b>bold</b>", hero: "Thor" },
        { text: "as if you had said it", to: "1/1", from: "thor" },
        { typing: "<i>nowhere</i>" },
        { typing: { toString: 1 } },
        null,
        [[[]]],
        { text: { length: 1e9 } },
      ];
      for (const payload of payloads) await thor.message(payload);
    }, { origin: stage.server.origin, hash: stage.server.hash });
    await thor.chip("<img").locator(".badge", { hasText: "7" }).waitFor();
    await thor.chip("<img").getByTestId("write-privately").click();
    const shown = [
      "<b>bold</b>", "as if you had said it", `{"typing":"<i>nowhere</i>"}`, `{"typing":{"toString":1}}`,
      "(empty message)", "[[[]]]", `{"text":{"length":1000000000}}`,
    ];
    await thor.shows(shown, HQ);
    assert.equal(await thor.own(HQ), 0);
    const authors = await thor.conversation(HQ).getByTestId("message-author").allTextContents();
    assert.deepEqual([...new Set(authors)], [`${evil.slice(0, 40)}✓`]);
    assert.equal(await thor.page.locator("img, b, i:not(.typing-dots i)").count(), 0);
    assert.notEqual(await thor.page.title(), "owned");
    thor.noProblems();
  });

  test("with the keyboard alone: to a name, there and back", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = await stage.members("Thor", "Loki");
    const chip = thor.page.getByRole("button", { name: "Loki: private messages" });
    await chip.focus();
    await thor.page.keyboard.press("Enter");
    await thor.page.keyboard.type("by keyboard");
    await thor.page.keyboard.press("Enter");
    await thor.shows(["by keyboard"], HQ);
    await thor.page.keyboard.press("Escape");
    await thor.page.keyboard.type("to all");
    await thor.page.keyboard.press("Enter");
    await loki.shows(["to all"], HQ);
    await loki.page.getByRole("button", { name: "Thor: private messages, 1 unread" }).waitFor();
  });
});
