import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { HQ, waitFor } from "./support/chat.js";
import { Stage } from "./support/stage.js";

describe("who was away from the Marvel chat", () => {
  let browser;
  let line;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  /** Somebody whose connection can break, and somebody whose connection does not. */
  const open = async (t) => {
    const stage = await Stage.open(t, browser);
    line = await stage.line();
    return { stage, wanda: await stage.person(stage.addressOf(line.origin)), thor: await stage.person() };
  };
  let lost;
  const lose = async (chat) => {
    line.cut();
    await chat.statusSays(/trying again/i);
    lost = Date.now();
  };
  /** Shorter absences than half a second have no length in words. */
  const longEnough = () => waitFor(() => Date.now() - lost >= 1000, () => "a second has passed");
  const comeBack = async (chat) => {
    line.mend();
    await chat.connected();
  };
  const notes = (chat, channel) => chat.conversation(channel).getByTestId("note").allInnerTexts();
  const noteSays = async (chat, words, channel) => {
    await waitFor(async () => words.test((await notes(chat, channel)).join("\n")), async () => `a line says ${words}; they say: ${await notes(chat, channel)}`);
  };
  const hint = (chat, channel) => chat.conversation(channel).getByTestId("message-hint").innerText();

  test("what is written without a connection waits to be seen, and is sent in order", async (t) => {
    const { wanda, thor } = await open(t);
    await lose(wanda);
    assert.equal(await hint(wanda), "Not connected: what you send waits here.");
    await wanda.say("first");
    await waitFor(async () => (await hint(wanda)) === "1 message waits for the connection.", () => "it is counted");
    await wanda.say("second");
    await waitFor(async () => (await hint(wanda)) === "2 messages wait for the connection.", () => "both are counted");
    assert.deepEqual(await wanda.room().getByTestId("message-delivery").allInnerTexts(), ["waiting…", "waiting…"]);
    await thor.shows([]);
    await comeBack(wanda);
    for (const chat of [wanda, thor]) await chat.shows(["first", "second"]);
    await wanda.delivered();
    assert.equal(await hint(wanda), "");
    assert.deepEqual(await notes(wanda), [], "nobody else has said anything");
    for (const chat of [wanda, thor]) chat.noProblems();
  });

  test("what was missed is filled in, behind a line that says how long and how much", async (t) => {
    const { wanda, thor } = await open(t);
    await thor.say("before");
    await wanda.shows(["before"]);
    await lose(wanda);
    for (const text of ["missed 1", "missed 2", "missed 3"]) await thor.say(text);
    await thor.delivered();
    await wanda.say("written meanwhile");
    await longEnough();
    await comeBack(wanda);
    await wanda.shows(["before", "missed 1", "missed 2", "missed 3", "written meanwhile"]);
    assert.match((await notes(wanda)).join("\n"), /^You were away for \d+ s; 3 messages were filled in\.$/);
    const order = await wanda.room().locator(".log > *").evaluateAll((rows) => rows.map((row) => row.dataset.testid ?? row.className));
    assert.deepEqual(order, ["day", "message", "note", "message", "message", "message", "message"], "and no second day line");
    assert.deepEqual(await notes(wanda, "dc-chat-room"), [], "where nothing was missed there is nothing to say");
    await thor.say("live");
    await wanda.shows(["before", "missed 1", "missed 2", "missed 3", "written meanwhile", "live"]);
    assert.match((await notes(wanda)).join("\n"), /3 messages were filled in\.$/, "what comes later is not counted");
  });

  test("a second absence has a line of its own", async (t) => {
    const { wanda, thor } = await open(t);
    await thor.say("before");
    await wanda.shows(["before"]);
    for (const text of ["one", "two"]) {
      await lose(wanda);
      await thor.say(text);
      await thor.delivered();
      await comeBack(wanda);
      await noteSays(wanda, /1 message was filled in\.$/);
    }
    await waitFor(async () => (await notes(wanda)).length === 2, () => "there are two lines");
    await wanda.shows(["before", "one", "two"]);
  });

  test("what was missed while the server itself was gone is filled in too", async (t) => {
    const { stage: { server }, wanda, thor } = await open(t);
    await thor.say("before");
    await wanda.shows(["before"]);
    await lose(wanda);
    await server.stop();
    await server.restart();
    await thor.connected();
    await thor.say("after the restart");
    await thor.delivered();
    await comeBack(wanda);
    await wanda.shows(["before", "after the restart"]);
    await noteSays(wanda, /1 message was filled in\.$/);
  });

  test("to log in is no absence: there is no line, whatever was said before", async (t) => {
    const { wanda, thor } = await open(t);
    await wanda.say("as a stranger");
    await thor.shows(["as a stranger"]);
    await thor.say("welcome", "dc-chat-room");
    await wanda.shows(["welcome"], "dc-chat-room");
    await wanda.page.evaluate(() => {
      window.told = [];
      const words = document.getElementById("status-words");
      new MutationObserver(() => told.push(words.textContent)).observe(words, { characterData: true, childList: true, subtree: true });
    });
    await wanda.signUp("Wanda");
    assert.deepEqual(await wanda.page.evaluate(() => told), ["Connecting…", "Connected"]);
    await wanda.say("as Wanda");
    await thor.shows(["as a stranger", "as Wanda"]);
    await wanda.shows(["as a stranger", "as Wanda"]);
    await wanda.delivered();
    for (const channel of [undefined, "dc-chat-room", HQ]) assert.deepEqual(await notes(wanda, channel), []);
    assert.equal(await wanda.own(), 2);
  });

  test("each way an absence can end has its words", async (t) => {
    const { wanda } = await open(t);
    const words = await wanda.page.evaluate(() => {
      const tell = (happen) => {
        let note = null;
        const absence = new window.MarvelChat.Absence((placed) => (note = placed));
        absence.joined({ seq: 4 }, 0);
        absence.takeHistory([{ seq: 4 }], () => ({ others: 1, joins: false }));
        absence.lost(1_000);
        happen(absence);
        return note?.words ?? "";
      };
      const frames = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => ({ seq: from + index }));
      const resumed = (after, seqs) => tell((absence) => {
        absence.joined({ resumed: true, seq: 6 }, 1_000 + after);
        for (const seq of seqs) absence.take({ seq });
      });
      const gap = (missed, told, merged) => tell((absence) => {
        absence.joined({ resumed: false, seq: 20 }, 13_000);
        absence.takeGap({ reason: "-", missed, from: 5, to: 20 });
        if (told) absence.takeHistory(told, () => merged);
      });
      return [
        resumed(12_000, [5, 6, 7]),
        resumed(300, [5]),
        resumed(200_000, [5]),
        resumed(9_000_000, []),
        gap(16, null),
        gap(16, frames(5, 20), { others: 16, joins: false }),
        gap(16, frames(20, 20), { others: 1, joins: false }),
        gap(undefined, frames(18, 20), { others: 3, joins: false }),
        gap(undefined, frames(18, 20), { others: 2, joins: true }),
        gap(undefined, frames(1, 3), { others: 3, joins: false }),
        gap(undefined, frames(18, 20), { others: 0, joins: true }),
      ];
    });
    assert.deepEqual(words, [
      "You were away for 12 s; 2 messages were filled in.",
      "1 message was filled in.",
      "You were away for 3 min; 1 message was filled in.",
      "",
      "You were away for 12 s; 16 messages are missing here.",
      "You were away for 12 s; 16 messages were filled in.",
      "You were away for 12 s; 15 messages are missing here; 1 message was filled in after that.",
      "You were away for 12 s; messages may be missing here; 3 messages were filled in after that.",
      "You were away for 12 s; 2 messages were filled in.",
      "You were away for 12 s; 3 messages were filled in.",
      "",
    ]);
  });
});
