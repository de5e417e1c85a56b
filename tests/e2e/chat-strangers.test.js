import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { HQ, waitFor } from "./support/chat.js";
import { Page } from "./support/page.js";
import { Stage } from "./support/stage.js";

describe("the Marvel chat among strangers", () => {
  let browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  /** Somebody who writes what they like, and what the chat of somebody else makes of it. */
  const among = async (t, ...payloads) => {
    const stage = await Stage.open(t, browser);
    const reader = await stage.person();
    const stranger = await Page.open(browser, stage.server);
    t.after(() => stranger.close());
    await stranger.say(...payloads);
    const last = payloads.at(-1).text;
    await waitFor(async () => (await reader.texts()).includes(last), async () => `the last message is there: ${await reader.texts()}`);
    return reader;
  };
  const authors = (chat) => chat.room().getByTestId("message-author").allInnerTexts();

  test("nobody can write the mark of those whom the server vouches for into a name", async (t) => {
    const reader = await among(t, { hero: "Wanda ✓", text: "1" }, { hero: "✔️ Wanda ✅", text: "2" });
    assert.deepEqual(await authors(reader), ["Wanda", "Wanda"]);
    reader.noProblems();
  });

  test("a name that cannot be seen is none, and letters that have to be joined are", async (t) => {
    const names = ["\u202eevil", "علی\u200cرضا", "👩\u200d🚀"];
    const reader = await among(t, ...names.map((hero, index) => ({ hero, text: `${index}` })));
    assert.deepEqual(await authors(reader), ["evil", "علی\u200cرضا", "👩\u200d🚀"]);
    const [blank] = await authors(await among(t, { hero: "\u3164\u2800", text: "from nobody" }));
    assert.match(blank, /^Guest /);
  });

  test("two members whose names look the same get their numbers, whatever is between the letters", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor] = await stage.members("Thor");
    const twin = await stage.person();
    await twin.signUp("Th\u200dor", "twin@example.com");
    const names = async () => (await thor.room(HQ).locator(".chip-name").allInnerTexts()).map((name) => name.replace(/[\u200d✓]/g, "").trim());
    await waitFor(async () => (await names()).includes("Thor #2"), async () => `the second Thor has a number: ${await names()}`);
  });

  test("what turns its letters around is not below its time", async (t) => {
    const reader = await among(t, { hero: "Loki", text: "\u202elive" }, { hero: "Loki", text: "last" });
    const message = reader.room().getByTestId("message").first();
    const [text, time] = await message.evaluate((element) => {
      const range = document.createRange();
      range.selectNodeContents(element.querySelector(".text span"));
      return [range, element.querySelector("time")].map((part) => part.getBoundingClientRect().toJSON());
    });
    const apart = text.right <= time.left || time.right <= text.left || text.bottom <= time.top;
    assert.ok(apart, `the text is at ${JSON.stringify(text)}, the time at ${JSON.stringify(time)}`);
  });

  test("however many write privately and are not read, fifty conversations are held", async (t) => {
    const stage = await Stage.open(t, browser);
    const { page } = await stage.person();
    const [held, newest] = await page.evaluate(() => {
      const { Me, Names, PrivateThreads } = MarvelChat;
      const nothing = () => {};
      const told = { opened: nothing, typed: nothing, said: nothing, failed: nothing, changed: nothing };
      const threads = new PrivateThreads("crowd", { me: new Me(), names: new Names() }, told);
      for (let row = 1; row <= 70; row += 1) {
        const client = { socketId: `s${row}`, permissions: { dbo_id: 1, row_id: row }, extras: { name: `Member ${row}` } };
        threads.receive({ action: "message", client, payload: { text: "psst" }, options: { socketId: "mine" }, id: `m${row}`, ts: row });
      }
      return [threads.conversations.length, threads.get("1/70")?.conversation.unread];
    });
    assert.equal(held, 50);
    assert.equal(newest, 1, "the latest of them is there");
  });

  test("what nobody got is not shown as sent in one's other tabs", async (t) => {
    const stage = await Stage.open(t, browser);
    const { page } = await stage.person();
    const told = await page.evaluate(async () => {
      const { Me, Names, PrivateThreads } = MarvelChat;
      const nothing = () => {};
      const failures = [];
      const failed = ({ code }) => failures.push(code);
      const me = new Me();
      const copies = [];
      let refuses = true;
      const tab = (row, socketId, message) => ({ socketId, permissions: { dbo_id: 1, row_id: row }, extras: { name: `Member ${row}` }, message });
      const answer = () => (refuses ? Promise.reject(Object.assign(new Error(), { code: "rate_limited" })) : Promise.resolve({ id: "m", ts: 1 }));
      const own = tab(1, "mine", nothing);
      me.joined({ client: own });
      const threads = new PrivateThreads("room", { me, names: new Names() }, { opened: nothing, typed: nothing, said: nothing, failed, changed: nothing });
      threads.setPresence([own, tab(1, "my other", ({ text }) => copies.push(text)), tab(2, "theirs", answer)]);
      const { conversation } = threads.open(threads.others[0]);
      for (const text of ["refused", "taken"]) {
        conversation.say(text);
        await new Promise((resolve) => setTimeout(resolve));
        refuses = false;
      }
      return { copies, failures };
    });
    assert.deepEqual(told, { copies: ["taken"], failures: ["rate_limited"] });
  });

  test("each private message is announced, also the second of one person", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = await stage.members("Thor", "Loki");
    const news = async (words) => {
      const told = () => loki.room(HQ).locator(".news").innerText();
      await waitFor(async () => (await told()) === words, async () => `it is announced: ${words}; it is: ${await told()}`);
    };
    await thor.writeTo("Loki");
    await thor.say("Psst", HQ);
    await news("Private message from Thor");
    await thor.say("Psst!", HQ);
    await news("2 private messages from Thor");
  });

  test("who follows a link to another server is told where the password goes", async (t) => {
    const stage = await Stage.open(t, browser);
    const other = await stage.anotherServer();
    const here = await stage.person();
    const warning = (chat) => chat.page.getByTestId("login-elsewhere");
    await here.page.getByTestId("log-in").click();
    assert.equal(await warning(here).isVisible(), false);
    const elsewhere = other.origin.replace("127.0.0.1", "localhost");
    const lured = await stage.person(stage.addressOf(elsewhere, { hash: other.hash }));
    await lured.page.getByTestId("log-in").click();
    assert.match(await warning(lured).innerText(), new RegExp(`You log in at localhost:${other.port}, which is not where this page comes from`));
  });

  test("Enter that ends a word in an input method does not send, in Safari either", async (t) => {
    const stage = await Stage.open(t, browser);
    const chat = await stage.person();
    await chat.input().fill("にほん");
    const press = (keyCode) =>
      chat.input().evaluate((input, keyCode) => input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode, bubbles: true, cancelable: true })), keyCode);
    await press(229);
    assert.equal(await chat.input().inputValue(), "にほん");
    await press(13);
    assert.equal(await chat.input().inputValue(), "");
    await chat.shows(["にほん"]);
  });

  test("a name that is too long loses its end, and not the mark of members", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor] = await stage.members("Thor");
    const wolverine = await stage.person();
    await wolverine.signUp("Wolverine with quite a long name for him", "wolverine@example.com");
    await thor.isHere("Wolverine");
    const [mark, name] = await thor.chip("Wolverine").first().evaluate((chip) => [".vouched", ".chip-name"].map((part) => chip.querySelector(part).getBoundingClientRect().toJSON()));
    assert.ok(mark.width > 0 && mark.right <= name.right + 1 && mark.top >= name.top - 1 && mark.bottom <= name.bottom + 1, JSON.stringify({ mark, name }));
  });

  test("a long name stays within its button", async (t) => {
    const stage = await Stage.open(t, browser);
    const chat = await stage.person(`${stage.server.origin}/`, { viewport: { width: 740, height: 800 } });
    await chat.signUp("Wolverine with quite a long name for him");
    const [name, button] = await chat.page.evaluate(() => ["hero-name", "hero"].map((id) => document.getElementById(id).getBoundingClientRect().right));
    assert.ok(name < button, `the name ends at ${name}, its button at ${button}`);
    assert.ok(button < 740 && (await chat.page.getByTestId("open-settings").isVisible()));
  });

  test("a phone of 320 pixels has room for all there is", async (t) => {
    const stage = await Stage.open(t, browser);
    const chat = await stage.person(`${stage.server.origin}/`, { viewport: { width: 320, height: 568 } });
    const beyond = () =>
      chat.page.evaluate(() => [...document.querySelectorAll("button, input, textarea, h1")].filter((one) => one.checkVisibility() && !one.closest("ul") && one.getBoundingClientRect().right > innerWidth).map((one) => one.id || one.className));
    assert.deepEqual(await beyond(), []);
    await chat.page.getByTestId("log-in").click();
    assert.deepEqual(await beyond(), []);
    await chat.page.keyboard.press("Escape");
    await chat.signUp("Thor");
    assert.deepEqual(await beyond(), []);
    assert.ok(await chat.room(HQ).isVisible());
  });
});
