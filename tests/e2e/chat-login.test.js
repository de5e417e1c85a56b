import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { HQ, PASSWORD, waitFor } from "./support/chat.js";
import { Stage } from "./support/stage.js";

const THOR = { name: "Thor", email: "thor@example.com", password: PASSWORD };

describe("logging in to the Marvel chat", () => {
  let browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  const says = async (chat, words) => {
    const error = chat.page.getByTestId("login-error");
    await waitFor(async () => words.test(await error.innerText()), async () => `the dialog says ${words}; it says: ${await error.innerText()}`);
  };
  /** What the page keeps, whatever the storage. */
  const stored = (chat) => chat.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));

  test("a stranger chats without an account, and is asked for none", async (t) => {
    const stage = await Stage.open(t, browser);
    const [wanda, thor] = [await stage.person(), await stage.person()];
    await wanda.say("Hello World!");
    await thor.shows(["Hello World!"]);
    assert.equal(await wanda.room(HQ).count(), 0);
    assert.equal(await wanda.page.locator("dialog[open], input:visible").count(), 0);
  });

  test("who signs up is in HQ under a name that the server vouches for, and a reload keeps it", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person();
    await thor.signUp("Thor");
    await thor.say("I am worthy", HQ);
    await thor.delivered(HQ);
    const loki = await stage.person();
    await loki.signUp("Loki");
    await loki.shows(["I am worthy"], HQ);
    const author = loki.room(HQ).getByTestId("message-author");
    assert.equal(await author.innerText(), "Thor✓");
    await thor.page.reload();
    await thor.connected();
    await thor.inHq();
    await thor.shows(["I am worthy"], HQ);
    assert.equal(await thor.own(HQ), 1);
    assert.equal(await thor.page.getByTestId("log-in").isVisible(), false);
    await thor.page.getByRole("button", { name: "You are Thor, logged in" }).waitFor();
    for (const chat of [thor, loki]) chat.noProblems();
  });

  test("the name goes along to the open rooms, where nobody else gets its mark", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, stranger] = [await stage.person(), await stage.person()];
    await thor.signUp("Spider-Man");
    await thor.say("The real one");
    const liar = await stranger.page.evaluate(async ({ origin, hash }) => {
      const channel = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash, storage: new XanoObjectStorage() }).channel("marvel-chat-room");
      await channel.message({ text: "No, I am", hero: "Spider-Man", extras: { name: "Spider-Man" }, client: { permissions: { dbo_id: 1, row_id: 1 } } });
      return true;
    }, { origin: stage.server.origin, hash: stage.server.hash });
    assert.ok(liar);
    await stranger.shows(["The real one", "No, I am"]);
    const authors = await stranger.room().getByTestId("message-author").allInnerTexts();
    assert.deepEqual(authors, ["Spider-Man✓", "Spider-Man"]);
  });

  test("what is wrong is said in the server's words, at the field that it is about", async (t) => {
    const stage = await Stage.open(t, browser);
    const first = await stage.person();
    await first.signUp("Thor");
    const thor = await stage.person();
    const field = (of) => thor.page.getByTestId(`login-${of}`);
    await thor.enter({ email: THOR.email, password: "burdened with glorious purpose" });
    await says(thor, /^Invalid Credentials\.$/);
    assert.equal(await field("password").evaluate((input) => document.activeElement === input), true);
    await field("switch").click();
    await says(thor, /^$/);
    await thor.submitLogin({ ...THOR, email: "other@example.com", password: "short" });
    await says(thor, /^Password must have 8 to 128 characters$/);
    assert.equal(await field("password").getAttribute("aria-invalid"), "true");
    await thor.submitLogin({ ...THOR, name: " " });
    await says(thor, /name/i);
    assert.equal(await field("name").evaluate((input) => document.activeElement === input), true);
    assert.equal(await field("password").getAttribute("aria-invalid"), "false");
    await thor.submitLogin(THOR);
    await says(thor, /^This account is already in use\.$/);
    await field("switch").click();
    await thor.submitLogin({ email: THOR.email, password: PASSWORD });
    await thor.inHq();
    assert.equal(await field("password").inputValue(), "", "the page does not keep the password");
    thor.noProblems();
  });

  test("password managers are told which form it is", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person();
    const complete = (of) => thor.page.getByTestId(`login-${of}`).getAttribute("autocomplete");
    await thor.page.getByTestId("log-in").click();
    assert.deepEqual([await complete("email"), await complete("password")], ["username", "current-password"]);
    await thor.page.getByTestId("login-switch").click();
    assert.deepEqual([await complete("name"), await complete("password")], ["nickname", "new-password"]);
    await thor.page.keyboard.press("Escape");
    assert.equal(await thor.page.locator("dialog[open]").count(), 0);
  });

  test("where the way to the server is open to others, the form says so", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person();
    await thor.page.getByTestId("log-in").click();
    assert.equal(await thor.page.locator("#login-unsafe").isVisible(), false, "it is this machine");
    const open = await thor.page.evaluate(() => {
      const bases = ["http://chat.example", "http://192.168.0.2:8787", "http://127.0.0.1.example", "https://chat.example", "http://localhost:1", "http://[::1]:1"];
      return bases.map((base) => window.MarvelChat.isInTheClear(base));
    });
    assert.deepEqual(open, [true, true, true, false, false, false]);
  });

  test("a server that cannot be reached is told, and too many attempts in its own words", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person();
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const { status } = await fetch(`${stage.server.origin}/api:main/auth/login`, { method: "POST", body: JSON.stringify({ email: "x@example.com", password: "12345678" }) });
      assert.notEqual(status, 429);
    }
    await thor.enter({ email: THOR.email, password: PASSWORD });
    await says(thor, /too many|try again|wait/i);
    await stage.server.stop();
    await thor.submitLogin({ email: THOR.email, password: PASSWORD });
    await says(thor, /^The server cannot be reached/);
  });

  test("logging out drops the identity, in this tab and in the others", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, loki] = [await stage.person(), await stage.person()];
    await thor.signUp("Thor");
    await loki.signUp("Loki");
    const other = await stage.anotherTab(thor);
    await other.inHq();
    await thor.say("said as Thor");
    await thor.delivered();
    await thor.page.getByTestId("hero").click();
    await thor.page.getByTestId("log-out").click();
    for (const chat of [thor, other]) {
      await chat.page.getByTestId("log-in").waitFor();
      await chat.connected();
      await chat.shows(["said as Thor"]);
      assert.equal(await chat.room(HQ).count(), 0);
      assert.equal(await chat.own(), 0, "that was somebody else");
      assert.doesNotMatch(await stored(chat), /eyJ|Thor/);
    }
    await loki.peopleHere(1, HQ);
    await thor.say("said as nobody");
    await loki.shows(["said as Thor", "said as nobody"]);
    const authors = await loki.room().getByTestId("message-author").allInnerTexts();
    assert.equal(authors[0], "Thor✓");
    assert.doesNotMatch(authors[1], /Thor|✓/);
    const froms = await loki.page.evaluate(async ({ origin, hash }) => {
      const channel = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash, storage: new XanoObjectStorage() }).channel("marvel-chat-room");
      const { history } = await channel.history({ limit: 2 });
      return history.map(({ payload }) => payload.from);
    }, { origin: stage.server.origin, hash: stage.server.hash });
    assert.notEqual(froms[0], froms[1], "nothing links the two");
    for (const chat of [thor, other, loki]) chat.noProblems();
  });

  test("what Thor wrote without a connection is not sent when he has logged out", async (t) => {
    const stage = await Stage.open(t, browser);
    const [thor, witness] = [await stage.person(), await stage.person()];
    await thor.signUp("Thor");
    await stage.server.stop();
    await thor.statusSays(/trying again/i);
    await thor.say("a secret of Thor's");
    await thor.page.getByTestId("hero").click();
    await thor.page.getByTestId("log-out").click();
    await stage.server.restart();
    for (const chat of [thor, witness]) await chat.connected();
    await thor.say("said as nobody");
    for (const chat of [thor, witness]) await chat.shows(["said as nobody"]);
  });

  test("the token is in no address, and goes to no other server", async (t) => {
    const stage = await Stage.open(t, browser);
    const elsewhere = await stage.anotherServer();
    const thor = await stage.person(stage.addressOf());
    const addresses = [];
    thor.page.on("request", (request) => addresses.push(request.url()));
    thor.page.on("websocket", (socket) => addresses.push(socket.url()));
    await thor.signUp("Thor");
    assert.ok(addresses.some((address) => address.startsWith("ws:")), "the connection was made anew");
    const token = await thor.page.evaluate(() => Object.entries(localStorage).find(([key]) => key.endsWith("RealtimeAuthToken"))[1]);
    for (const address of [...addresses, thor.page.url(), await thor.page.getByTestId("second-tab").getAttribute("href")]) {
      assert.ok(!address.includes(token), address);
    }
    // A link can make the page talk to any stage.server. The other one would refuse this token, and the page would say so.
    const lured = await stage.anotherTab(thor, stage.addressOf(elsewhere.origin, elsewhere));
    await lured.statusSays(/^Connected$/);
    await lured.peopleHere(1);
    assert.equal(await lured.page.getByTestId("log-in").isVisible(), true);
    await thor.page.reload();
    await thor.inHq();
  });

  test("a login that has ended is told, and the chat goes on without it", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person();
    await thor.signUp("Thor");
    // This is how an operator ends all logins. Who is connected is asked for a token when it comes back.
    await stage.server.admin("POST", "/key");
    await stage.server.admin("DELETE", "/key/1");
    await stage.server.stop();
    await stage.server.restart();
    await thor.statusSays(/^Connected\. Your login has ended\./);
    assert.equal(await thor.room(HQ).count(), 0);
    await thor.say("still here");
    await thor.shows(["still here"]);
    await thor.enter({ email: THOR.email, password: PASSWORD });
    await thor.inHq();
    thor.noProblems();
  });

  test("from disk it is the same: sign up, reload, log out", async (t) => {
    const stage = await Stage.open(t, browser);
    const page = new URL("../../www/demo/index.html", import.meta.url).href;
    const thor = await stage.person(stage.addressOf(undefined, { page }));
    await thor.signUp("Thor");
    await thor.page.reload();
    await thor.inHq();
    const loki = await stage.person();
    await loki.signUp("Loki");
    await thor.isHere("Loki");
    await thor.writeTo("Loki");
    await thor.say("from disk, to you alone", HQ);
    await loki.chip("Thor").locator(".badge", { hasText: "1" }).waitFor();
    await thor.page.getByTestId("hero").click();
    await thor.page.getByTestId("log-out").click();
    await thor.page.getByTestId("log-in").waitFor();
    await loki.peopleHere(1, HQ);
    for (const chat of [thor, loki]) chat.noProblems();
  });

  test("on a phone the three rooms are behind tabs, and HQ is on show after the login", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person(undefined, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await thor.signUp("Thor");
    assert.equal(await thor.page.getByTestId(`tab-${HQ}`).getAttribute("aria-selected"), "true");
    assert.equal(await thor.room("dc-chat-room").isVisible(), false);
    const width = await thor.page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 390, "nothing sticks out");
  });

  test("on a phone with its keyboard up all of the form can be reached", async (t) => {
    const stage = await Stage.open(t, browser);
    const thor = await stage.person(undefined, { viewport: { width: 360, height: 380 }, hasTouch: true, isMobile: true });
    await thor.signUp("Thor");
    thor.noProblems();
  });
});
