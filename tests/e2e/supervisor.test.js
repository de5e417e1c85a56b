import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { launchThriftyBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Line } from "./support/line.js";
import { Page } from "./support/page.js";
import { RawTab } from "./support/raw-tab.js";
import { Server } from "./support/server.js";
import { withBrowserAndServer } from "./support/suite.js";
import { StagedServer } from "./support/staged-server.js";

const LOGIN = "<!doctype html><title>Welcome to our guest network</title><form></form>";
const PORTAL = `HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: ${LOGIN.length}\r\n\r\n${LOGIN}`;

describe("whatever happens to the connection of a page in a real browser", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  /** A tab whose clock can be moved. It must be there before the SDK has set a timer. */
  const withClock = async (...where) => {
    const tab = await openTab(...where);
    await tab.clock.install();
    return tab;
  };

  /** A page whose line can be broken, and one whose line cannot. */
  const open = async (t) => {
    const line = await Line.to(server);
    const page = await Page.open(browser, server, { origin: line.origin, open: withClock });
    const witness = await Page.open(browser, server);
    t.after(async () => {
      await page.close();
      await witness.close();
      line.dispose();
    });
    await page.until("join");
    await witness.until("join");
    return { line, page, witness };
  };
  const statuses = async (page) => (await page.payloads("connection_status")).map(({ status, reason }) => reason || status);
  /** It is back, and has what it had missed, each once and in order. */
  const isBack = async (page, missed) => {
    await waitFor(async () => (await page.payloads()).length >= missed.length, async () => `${missed} are heard: ${await page.payloads()}`);
    assert.deepEqual(await page.payloads(), missed);
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
    assert.equal(await page.evaluate(() => client.status), "connected");
  };

  test("a sleep over a line that lives costs nothing", async (t) => {
    const { page, witness } = await open(t);
    for (let night = 1; night <= 3; night += 1) {
      await page.tab.clock.fastForward("08:00:00");
      await page.say(`night ${night}`);
    }
    await page.tab.clock.fastForward("00:10");
    await witness.say("morning");
    await isBack(page, ["night 1", "night 2", "night 3", "morning"]);
    assert.deepEqual(await statuses(page), ["connected"]);
  });

  test("a sleep over a line that died is noticed five seconds after it", async (t) => {
    const { line, page, witness } = await open(t);
    line.mute();
    await witness.say("at night");
    await page.tab.clock.fastForward("08:00:00");
    assert.deepEqual(await statuses(page), ["connected"]);
    await page.tab.clock.runFor(5_001);
    await isBack(page, ["at night"]);
    assert.deepEqual(await statuses(page), ["connected", "the server stopped answering", "connected"]);
  });

  test("a line that goes half-open without a word is noticed by its silence", async (t) => {
    const { line, page, witness } = await open(t);
    line.mute();
    await witness.say("missed");
    await page.tab.clock.runFor(8_000);
    assert.deepEqual(await statuses(page), ["connected"]);
    await page.tab.clock.runFor(18_000);
    await isBack(page, ["missed"]);
    assert.deepEqual(await statuses(page), ["connected", "the server stopped answering", "connected"]);
  });

  test("timers that ring once a minute keep a live line, and notice a dead one", async (t) => {
    const { line, page, witness } = await open(t);
    for (let minute = 0; minute < 5; minute += 1) {
      await page.tab.clock.fastForward("01:00");
      await witness.say(minute);
      await page.until("message", minute + 1);
    }
    assert.deepEqual(await statuses(page), ["connected"]);
    line.mute();
    await witness.say("missed");
    for (let minute = 0; minute < 4; minute += 1) await page.tab.clock.fastForward("01:00");
    await page.tab.clock.fastForward("01:00");
    await isBack(page, [0, 1, 2, 3, 4, "missed"]);
  });

  test("offline is noticed in seconds, and online connects at once although no timer rings", async (t) => {
    const { line, page, witness } = await open(t);
    line.mute();
    await page.tab.context().setOffline(true);
    await witness.say("missed");
    await page.tab.clock.runFor(5_001);
    await page.until("connection_status", 2);
    await page.tab.clock.pauseAt(Date.now() + 600_000);
    await waitFor(() => page.evaluate(() => client.status === "waiting"), () => "no attempt is under way");
    await page.tab.context().setOffline(false);
    await isBack(page, ["missed"]);
  });

  test("a captive portal that answers every request with its page is waited for", async (t) => {
    const { line, page, witness } = await open(t);
    line.answer(PORTAL);
    await witness.say("missed");
    await page.until("connection_status", 3);
    const ends = (await page.payloads("connection_status")).filter(({ status }) => status === "disconnected");
    for (const { code, retryIn } of ends) assert.deepEqual([code, retryIn > 0], [1006, true]);
    line.mend();
    await isBack(page, ["missed"]);
  });

  test("an attempt that nobody answers ends after ten seconds, and the next one succeeds", async (t) => {
    const { line, page, witness } = await open(t);
    line.jam();
    await witness.say("missed");
    await waitFor(async () => {
      await page.tab.clock.runFor(1_000);
      return (await statuses(page)).includes("no answer within 10 seconds");
    }, () => "the attempt is given up");
    line.mend();
    await page.tab.clock.resume();
    await isBack(page, ["missed"]);
  });

  test("a first attempt that nobody answers is made anew when the network is back", async (t) => {
    const line = await Line.to(server);
    line.jam();
    const page = await Page.open(browser, server, { origin: line.origin, open: withClock });
    t.after(async () => {
      await page.close();
      line.dispose();
    });
    await waitFor(() => line.taken === 1, () => "the first attempt is under way");
    await page.tab.clock.runFor(1_500);
    line.mend();
    await page.evaluate(() => void dispatchEvent(new Event("online")));
    await page.until("join");
    assert.deepEqual(await statuses(page), ["connected"]);
    assert.equal(line.taken, 2);
  });

  test("a server that accepts and hangs up is asked less and less often", async (t) => {
    const staged = await StagedServer.start({ tls: false });
    t.after(() => staged.dispose());
    const page = await Page.open(browser, server, { origin: `http://127.0.0.1:${staged.port}`, hash: "any", open: withClock });
    await page.until("join");
    await page.evaluate(() => void (Math.random = () => 1 - 2 ** -40));
    staged.greet = (connection) => connection.close(1012);
    staged.kick(1012);
    const waits = async () => (await page.payloads("connection_status")).map(({ retryIn }) => retryIn).filter(Boolean);
    for (let times = 1; times <= 5; times += 1) {
      await waitFor(async () => (await waits()).length >= times, () => `it is turned away ${times} times`);
      await page.tab.clock.runFor((await waits()).at(-1) + 10);
    }
    assert.deepEqual((await waits()).slice(0, 5).map((wait) => Math.round(wait / 1_000)), [1, 2, 4, 8, 16]);
    await page.close();
  });

  test("a deploy sends everybody away, and they come back spread out, all of them", async (t) => {
    const own = await Server.start();
    t.after(() => own.dispose());
    const page = await Page.open(browser, own);
    await page.until("join");
    const { origin, hash } = own;
    await page.evaluate(async ({ origin, hash }) => {
      window.crowd = Array.from({ length: 20 }, () => {
        const client = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash });
        const one = { joins: 0, ends: [], client, room: client.channel("marvel-chat-room") };
        one.room.on(({ action, payload }) => {
          if (action === "join") one.joins += 1;
          if (payload?.status === "disconnected") one.ends.push(payload);
        });
        return one;
      });
      await Promise.all(crowd.map(({ room }) => room.ready));
    }, { origin, hash });
    await own.stop();
    const ends = () => page.evaluate(() => crowd.map(({ ends }) => ends[0]));
    await waitFor(async () => (await ends()).every(Boolean), () => "all are told");
    const [first] = [await ends()];
    assert.deepEqual([...new Set(first.map(({ code }) => code))], [1012]);
    const waits = first.map(({ retryIn }) => retryIn);
    assert.ok(new Set(waits).size > 10 && Math.max(...waits) <= 1_000, `they spread: ${waits}`);
    await own.restart();
    const joins = () => page.evaluate(() => crowd.map(({ joins }) => joins));
    await waitFor(async () => (await joins()).every((count) => count === 2), async () => `all are back: ${await joins()}`);
    await page.close();
  });

  test("the token is asked for before each attempt, those that fail included", async (t) => {
    const { line, page } = await open(t);
    await page.evaluate(() => {
      window.asked = 0;
      client.setRealtimeAuthToken(async () => void (asked += 1));
    });
    line.cut();
    await waitFor(() => page.evaluate(() => asked >= 3), () => "three attempts are made");
    const [asked, ends] = await page.evaluate(() => [asked, heard.filter(({ payload }) => payload?.status === "disconnected").length]);
    // The first end was of a connection, and one attempt may be under way.
    assert.ok(asked === ends - 1 || asked === ends, `${asked} questions, ${ends} ends`);
    line.mend();
    await page.until("join", 2);
  });
});

describe("a tab that the browser hides, freezes or puts away", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made), launchThriftyBrowser);

  const open = async (t) => {
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const page = await Page.open(browser, server, { origin: line.origin, open: (...where) => RawTab.open(...where) });
    await page.until("join");
    const witness = await Page.open(browser, server, { options: { presence: true } });
    t.after(async () => {
      await page.close();
      await witness.close();
    });
    await witness.until("presence_full");
    return { line, page, witness };
  };
  /** Nobody waits for the server to notice that nobody listens. */
  const leaves = async (witness) => {
    await witness.until("presence_update");
    assert.equal((await witness.payloads("presence_update"))[0].action, "leave");
  };
  const untilHeard = async (page, messages) => {
    await waitFor(async () => (await page.payloads()).length >= messages.length, async () => `${messages} are heard: ${await page.payloads()}`);
    assert.deepEqual(await page.payloads(), messages);
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
  };

  test("hidden, with slow timers, it hears and comes back by itself", async (t) => {
    const { line, page, witness } = await open(t);
    await page.tab.hide();
    await witness.say("heard");
    await untilHeard(page, ["heard"]);
    line.cut();
    await page.until("connection_status", 2);
    await witness.say("missed");
    line.mend();
    await untilHeard(page, ["heard", "missed"]);
    assert.equal(await page.evaluate(() => document.hidden), true);
  });

  test("frozen it gives its connection back, and afterwards it hears all that it missed", async (t) => {
    const { page, witness } = await open(t);
    await page.tab.hide();
    await page.tab.freeze();
    await leaves(witness);
    await witness.say("one");
    await witness.say("two");
    assert.deepEqual(await page.payloads(), []);
    await page.tab.thaw();
    await untilHeard(page, ["one", "two"]);
    await page.tab.toFront();
    await page.say("three");
    await untilHeard(page, ["one", "two", "three"]);
  });

  test("frozen while its first attempt is under way it gives that back, and makes another one afterwards", async (t) => {
    const line = await Line.to(server);
    line.jam();
    const page = await Page.open(browser, server, { origin: line.origin, open: (...where) => RawTab.open(...where) });
    t.after(async () => {
      await page.close();
      line.dispose();
    });
    await waitFor(() => line.taken === 1, () => "the first attempt is under way");
    const listens = { expression: "Boolean(getEventListeners(window).freeze)", includeCommandLineAPI: true };
    await waitFor(async () => (await page.tab.send("Runtime.evaluate", listens)).result.value, () => "it listens to the page");
    await page.tab.hide();
    await page.tab.freeze();
    line.mend();
    await page.tab.thaw();
    await page.until("join");
    assert.deepEqual(await page.payloads("connection_status"), [{ status: "connected" }]);
    assert.equal(line.taken, 2);
  });

  test("left by a link it gives its connection back, and goes on where it was when somebody comes back", async (t) => {
    const { page, witness } = await open(t);
    await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => (window.wasKept = persisted)));
    await page.tab.leaveFor(`${server.origin}/readyz`);
    await leaves(witness);
    await witness.say("one");
    await witness.say("two");
    await page.tab.goBack();
    await waitFor(() => page.evaluate(() => window.wasKept === true), () => "the page was kept as it was");
    await untilHeard(page, ["one", "two"]);
  });
});
