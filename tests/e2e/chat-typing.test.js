import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { HQ, waitFor } from "./support/chat.js";
import { Stage } from "./support/stage.js";

describe("who is typing in the Marvel chat", () => {
  let browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  const typingSays = async (chat, words) => {
    const line = chat.conversation(HQ).getByTestId("typing");
    await waitFor(async () => (await line.innerText()) === words, async () => `it says “${words}”; it says “${await line.innerText()}”`);
  };

  test("others see who is typing, until it is said", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki, hulk] = await stage.members("Thor", "Loki", "Hulk");
    await thor.input(HQ).pressSequentially("By Od");
    for (const chat of [loki, hulk]) await typingSays(chat, "Thor is typing…");
    await loki.input(HQ).pressSequentially("Oh");
    await typingSays(hulk, "Thor and Loki are typing…");
    await thor.input(HQ).press("Enter");
    await hulk.shows(["By Od"], HQ);
    // At once: if it only faded, that would take seconds.
    assert.equal(await hulk.conversation(HQ).getByTestId("typing").innerText(), "Loki is typing…");
    await typingSays(thor, "Loki is typing…");
    // Nothing of it is a message, for anybody who is there or comes later.
    for (const chat of [thor, loki, hulk]) {
      await chat.shows(["By Od"], HQ);
      assert.equal(await chat.room(HQ).locator(".badge:not([hidden])").count(), 0);
      assert.equal(await chat.room(HQ).getByTestId("room-error").isVisible(), false);
    }
    await hulk.page.reload();
    await hulk.inHq();
    await hulk.shows(["By Od"], HQ);
    for (const chat of [thor, loki, hulk]) chat.noProblems();
  });

  test("who types privately is seen by that one alone", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki, hulk] = await stage.members("Thor", "Loki", "Hulk");
    await loki.writeTo("Thor");
    await thor.writeTo("Loki");
    await thor.input(HQ).pressSequentially("psst");
    await typingSays(loki, "Thor is typing…");
    await thor.input(HQ).press("Enter");
    await loki.shows(["psst"], HQ);
    assert.equal(await loki.conversation(HQ).getByTestId("typing").innerText(), "");
    await loki.page.keyboard.press("Escape");
    // What Hulk hears comes behind what he would have heard.
    await thor.page.keyboard.press("Escape");
    await thor.say("to all", HQ);
    await hulk.shows(["to all"], HQ);
    await typingSays(hulk, "");
    assert.equal(await hulk.room(HQ).locator(".badge:not([hidden])").count(), 0);
  });

  test("who stops without a word is forgotten after a while", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor] = await stage.members("Thor");
    const loki = await stage.person();
    await loki.page.clock.install();
    await loki.page.reload();
    await loki.connected();
    await loki.signUp("Loki");
    await loki.peopleHere(2, HQ);
    await thor.input(HQ).pressSequentially("hm");
    await typingSays(loki, "Thor is typing…");
    await loki.page.clock.runFor(5_100);
    await typingSays(loki, "");
  });

  test("who goes away is not typing any more", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = await stage.members("Thor", "Loki");
    await thor.input(HQ).pressSequentially("I must g");
    await typingSays(loki, "Thor is typing…");
    await thor.page.goto("about:blank");
    await loki.peopleHere(1, HQ);
    assert.equal(await loki.conversation(HQ).getByTestId("typing").innerText(), "");
  });

  test("keys in a row are told once in three seconds, and not at all in a crowd", async (t) => {
    const stage = await Stage.open(t, browser);
    const chat = await stage.person();
    const due = await chat.page.evaluate(() => {
      const { TypingSignal } = window.MarvelChat;
      const signal = new TypingSignal();
      const told = [0, 100, 2_999, 3_000, 3_001].filter((now) => signal.isDue(now, 12));
      signal.reset();
      return { told, afterSending: signal.isDue(3_002, 12), alone: new TypingSignal().isDue(0, 0), crowd: new TypingSignal().isDue(0, 13) };
    });
    assert.deepEqual(due, { told: [0, 3_000], afterSending: true, alone: false, crowd: false });
  });

  test("who wants less motion sees dots that stand still", async (t) => {
    const stage = await Stage.open(t, browser);
    const chat = await stage.person(undefined, { reducedMotion: "reduce" });
    const animation = () => chat.page.evaluate(() => getComputedStyle(document.querySelector(".typing-dots i")).animationName);
    assert.equal(await animation(), "none");
    await chat.page.emulateMedia({ reducedMotion: "no-preference" });
    assert.equal(await animation(), "blink");
  });
});
