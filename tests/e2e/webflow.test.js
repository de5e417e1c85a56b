import assert from "node:assert/strict";
import { on, once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { WebSocket, WebSocketServer } from "ws";

import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Line } from "./support/line.js";
import { Made, Site, WEBFLOW_FORMS, tags } from "./support/made.js";
import { Server } from "./support/server.js";

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
const ROOM = "marvel-chat-room";
const BUBBLES = ".message .bubble";
const MINE = ".message.is-mine .bubble";
const STATUS = ".status";
const ERROR = ".error";

describe("a page made with attributes", () => {
  let browser;
  let server;
  let site;
  const open = [];

  before(async () => {
    browser = await launchBrowser();
    site = await Site.start();
  });
  after(async () => {
    await browser?.close();
    site?.stop();
  });

  const fresh = async (t, options) => {
    server = await Server.start(options);
    t.after(async () => {
      await Promise.all(open.splice(0).map((made) => made.close()));
      await server.dispose();
    });
  };
  const kept = (made) => (open.push(made), made);
  const visit = async (url = `${server.origin}/webflow/`, options) => {
    const made = kept(await Made.visit(browser, url, options));
    await made.connected();
    return made;
  };
  const make = async (body, more) => kept(await Made.open(browser, site, body + tags(server, more)));
  const push = (data) => server.admin("POST", "/event", { channel: ROOM, data });

  test("two tabs chat, and each sees both messages once and knows its own", async (t) => {
    await fresh(t);
    const [noor, jonas] = [await visit(), await visit()];
    await noor.say("Hello from Noor", { name: "Noor" });
    await jonas.shows(BUBBLES, ["Hello from Noor"]);
    await jonas.say("Hello from Jonas", { name: "Jonas", enter: true });
    for (const made of [noor, jonas]) {
      await made.shows(BUBBLES, ["Hello from Noor", "Hello from Jonas"]);
      await made.shows(".author", ["Noor", "Jonas"]);
      await made.shows(".message.is-pending", []);
      made.noProblems();
    }
    await noor.shows(MINE, ["Hello from Noor"]);
    await jonas.shows(MINE, ["Hello from Jonas"]);
    assert.match((await noor.texts(".message .meta"))[0], /\d:\d\d/);
    await noor.shows(ERROR, []);
  });

  test("a form is sent, emptied and stays where one writes; what is to be kept is", async (t) => {
    await fresh(t);
    const noor = await visit();
    await noor.say("   ", { name: "Noor" });
    assert.equal(await noor.page.evaluate(`document.activeElement.name`), "Message", "nothing is written, so nothing is sent");
    await noor.say("first", { enter: true });
    await noor.shows(BUBBLES, ["first"]);
    assert.deepEqual(
      await noor.page.evaluate(`[document.activeElement.name, ...["Name", "Message"].map((name) => document.querySelector("[name=" + name + "]").value)]`),
      ["Message", "Noor", ""],
    );
    await noor.page.fill("[name=Message]", "two");
    await noor.page.press("[name=Message]", "Shift+Enter");
    await noor.page.type("[name=Message]", "lines");
    await noor.page.press("[name=Message]", "Enter");
    await noor.shows(BUBBLES, ["first", "two\nlines"]);
    await noor.page.reload();
    await noor.connected();
    assert.equal(await noor.page.inputValue("[name=Name]"), "Noor");
  });

  test("a reload keeps what was said, and whose it was; a tab that is duplicated is somebody else", async (t) => {
    await fresh(t);
    const noor = await visit();
    await noor.say("before the reload");
    await noor.shows(MINE, ["before the reload"]);
    await noor.shows(".message.is-pending", []);
    await noor.page.reload();
    await noor.connected();
    await noor.shows(BUBBLES, ["before the reload"]);
    await noor.shows(MINE, ["before the reload"]);
    // A duplicated tab begins with a copy of the session storage of the one that goes on.
    const copied = await noor.page.evaluate(`({ ...sessionStorage })`);
    const twin = kept(await Made.visit(browser, `${server.origin}/healthz`));
    await twin.page.evaluate((copied) => Object.assign(sessionStorage, copied), copied);
    await twin.page.goto(`${server.origin}/webflow/`);
    await twin.connected();
    await twin.shows(BUBBLES, ["before the reload"]);
    await twin.shows(MINE, []);
  });

  test("who is there is counted and listed, and who goes is gone", async (t) => {
    await fresh(t);
    const noor = await visit();
    await noor.shows(".people-number", ["1"]);
    await noor.shows(".chip", ["Guest"]);
    await noor.shows(".chip.is-mine", ["Guest"]);
    const jonas = await visit();
    for (const made of [noor, jonas]) await made.shows(".people-number", ["2"]);
    await noor.shows(".chip", ["Guest", "Guest"]);
    await jonas.page.goto("about:blank");
    await noor.shows(".people-number", ["1"]);
    await noor.shows(".chip", ["Guest"]);
  });

  test("somebody who is logged in is called by name", async (t) => {
    await fresh(t);
    const signup = await fetch(`${server.origin}/api:main/auth/signup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Wanda", email: "wanda@example.com", password: "scarlet witch" }),
    });
    const { authToken } = await signup.json();
    const body = `<div data-xano-channel="marvel-hq"><ul data-xano-presence="members"><li data-xano-text="client.extras.name" data-xano-fallback="Guest"></li></ul><p data-xano-error="text"></p></div>`;
    const made = await make(body, `data-xano-token-key="myToken"`);
    await made.shows("p", ["Anonymous clients cannot join this channel."]);
    await made.complains(/<div>: Anonymous clients cannot join this channel\. Switch Anonymous Clients on/);
    await made.page.evaluate((token) => localStorage.setItem("myToken", token), authToken);
    await made.page.reload();
    await made.shows("li", ["Wanda"]);
    await made.shows("p", []);
  });

  test("text from the network is only ever text", async (t) => {
    await fresh(t);
    const [noor, jonas] = [await visit(), await visit()];
    const markup = `<img src=x onerror="document.title='owned'"><b>bold</b>`;
    await noor.say(markup, { name: `<i>Noor</i>` });
    await jonas.shows(BUBBLES, [markup]);
    await jonas.shows(".author", ["<i>Noor</i>"]);
    await push({ text: markup });
    await jonas.shows(".news-text", [markup]);
    assert.equal(await jonas.page.locator("img, b, i").count(), 0);
    assert.notEqual(await jonas.page.title(), "owned");
  });

  test("what is refused is told, and the words come back", async (t) => {
    await fresh(t);
    const noor = await visit();
    await noor.shows(".empty-title", ["Nobody has said anything yet"]);
    const { channels } = await server.admin("GET", "");
    const mute = (client_public_messaging) =>
      server.admin("PUT", "", { enabled: true, channels: channels.map((channel) => ({ ...channel, client_public_messaging })) });
    await mute(false);
    await noor.say("may I?");
    await noor.shows(ERROR, ["This kind of message is not enabled for this channel."]);
    assert.equal(await noor.page.inputValue("[name=Message]"), "may I?");
    await noor.shows(BUBBLES, []);
    await noor.complains(/Switch Client Public Messaging on/);
    await mute(true);
    await noor.page.click("[type=submit]");
    await noor.shows(BUBBLES, ["may I?"]);
    await noor.shows(ERROR, []);
  });

  test("a connection that breaks is told, and what is written meanwhile is sent once", async (t) => {
    await fresh(t);
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const [noor, jonas] = [await visit(`${line.origin}/webflow/`), await visit()];
    await noor.say("before");
    await noor.shows(BUBBLES, ["before"]);
    await noor.shows(STATUS, ["Connected"]);
    await noor.shows(".message.is-pending", []);
    line.cut();
    await noor.shows(STATUS, ["Connection lost, trying again…"]);
    assert.deepEqual(await noor.page.$eval(STATUS, (one) => [one.dataset.xanoState, one.classList.contains("is-reconnecting")]), ["reconnecting", true]);
    await noor.say("meanwhile");
    await noor.shows(".message.is-pending .bubble", ["meanwhile"]);
    await jonas.say("missed");
    line.mend();
    for (const made of [noor, jonas]) await made.shows(BUBBLES, ["before", "missed", "meanwhile"]);
    await noor.shows(".message.is-pending", []);
    await noor.shows(STATUS, ["Connected"]);
    await noor.shows(".gap", []);
  });

  test("what was missed for good is marked in its place", async (t) => {
    await fresh(t);
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const [noor, jonas] = [await visit(`${line.origin}/webflow/`), await visit()];
    await jonas.say("before");
    await noor.shows(BUBBLES, ["before"]);
    line.cut();
    await noor.shows(STATUS, ["Connection lost, trying again…"]);
    // The channel keeps 100.
    await jonas.page.evaluate(() => {
      const room = XanoAttributes.client.channel("marvel-chat-room");
      return Promise.all(Array.from({ length: 120 }, (_, number) => room.message(`missed ${number}`)));
    });
    line.mend();
    await noor.shows(".gap", ["Some messages were missed here"]);
    const after = Array.from({ length: 100 }, (_, number) => `missed ${number + 20}`);
    await noor.shows(BUBBLES, ["before", ...after]);
    assert.equal(await noor.page.$eval(".gap", (gap) => gap.nextElementSibling.querySelector(".bubble").innerText), "missed 20");
  });

  test("what had to make room does not come back behind what is newer", async (t) => {
    await fresh(t);
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const body = `<div data-xano-channel="${ROOM}"><ul data-xano-list="messages" data-xano-limit="4"><li data-xano-text="payload"></li></ul><p data-xano-gap="mark">gap</p></div>`;
    const made = kept(await Made.open(browser, site, body + tags({ origin: line.origin, hash: server.hash })));
    await made.connected();
    const witness = await visit();
    const say = (...texts) =>
      witness.page.evaluate(async (texts) => {
        const room = XanoAttributes.client.channel("marvel-chat-room");
        for (const text of texts) await room.message(text);
      }, texts);
    await say("1", "2", "3", "4", "5", "6");
    await made.shows("li", ["3", "4", "5", "6"]);
    line.cut();
    await made.page.waitForSelector("[data-xano-state=reconnecting]", { state: "attached" });
    await say(...Array.from({ length: 101 }, (_, number) => `missed ${number}`));
    line.mend();
    await made.shows("li", ["missed 97", "missed 98", "missed 99", "missed 100"]);
    // The whole history again, for another object of the same channel.
    await made.page.evaluate(() => {
      const room = XanoAttributes.client.channel("marvel-chat-room", { history: true });
      return new Promise((resolve) => room.on("history", resolve));
    });
    await made.shows("li", ["missed 97", "missed 98", "missed 99", "missed 100"]);
  });

  test("it works with a server that names nothing and acknowledges nothing, as Xano's own", async (t) => {
    await fresh(t);
    const old = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    t.after(() => old.close());
    const said = [];
    old.on("connection", (socket) => {
      t.after(() => socket.terminate());
      socket.on("message", (text) => {
        const { action, options: { channel }, payload } = JSON.parse(text);
        const client = { socketId: "somebody", extras: [], permissions: { dbo_id: 0, row_id: 0 } };
        const answer = (frame) => socket.send(JSON.stringify({ client, options: { channel }, ...frame }));
        if (action === "join") answer({ action, payload: null });
        if (action === "join" && payload.history) answer({ action: "history", client: null, payload: { history: said } });
        if (action !== "message") return;
        if (payload.Message === "refuse") return answer({ action: "error", client: null, payload: { message: "No." } });
        said.push({ action, client, options: { channel }, payload });
        answer(said.at(-1));
      });
    });
    const html = (await read("www/webflow/index.html")).replaceAll("../sdk/", `${server.origin}/sdk/`).replace(/<link[^>]*>/g, "");
    const instance = `data-xano-instance="http://127.0.0.1:${old.address().port}" data-xano-hash`;
    const made = kept(await Made.visit(browser, site.publish(html.replace("data-xano-hash", instance))));
    await made.connected();
    for (const text of ["one", "one", "two"]) await made.say(text);
    await made.shows(MINE, ["one", "one", "two"]);
    await made.shows(".is-pending", []);
    await made.say("refuse");
    await made.shows(ERROR, ["No."]);
    for (const socket of old.clients) socket.close(1012);
    await made.page.waitForSelector("[data-xano-state=reconnecting]");
    await made.connected();
    await made.shows(BUBBLES, ["one", "one", "two"]);
  });

  test("a long history is there at once", async (t) => {
    await fresh(t);
    const { channels } = await server.admin("GET", "");
    await server.admin("PUT", "", { enabled: true, channels: channels.map((channel) => ({ ...channel, history: 1000 })) });
    const socket = new WebSocket(`${server.origin.replace("http", "ws")}/rt/${server.hash}`);
    await once(socket, "open");
    const send = (action, payload) => socket.send(JSON.stringify({ action, options: { channel: ROOM }, payload }));
    send("join", {});
    for (let number = 0; number < 999; number += 1) send("message", { Message: `message ${number}` });
    // Its own come back: the last one, when all are there.
    for await (const [text] of on(socket, "message")) if (`${text}`.includes("message 998")) break;
    socket.close();
    const html = (await read("www/webflow/index.html")).replaceAll("../sdk/", `${server.origin}/sdk/`).replace("CONNECTION_HASH", server.hash);
    const css = `<style>${await read("www/webflow/site.css")}</style>`;
    const page = html.replace(/<link href="site.css"[^>]*>/, css).replace(`data-xano-list="messages"`, `$& data-xano-limit="1000"`);
    const late = kept(await Made.visit(browser, site.publish(page)));
    await late.page.evaluate(() => {
      window.longest = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration)))).observe({ type: "longtask", buffered: true });
    });
    await waitFor(async () => (await late.page.locator(".message").count()) === 999, () => "all are there");
    t.diagnostic(`the longest task took ${await late.page.evaluate("longest")} ms`);
    assert.equal((await late.texts(".message:last-child .bubble"))[0], "message 998");
  });

  test("Webflow's own script gets no form that is ours, and every other", async (t) => {
    await fresh(t);
    const form = (attributes) => `<div class="w-form"><form name="email-form" data-name="Email Form" method="get" ${attributes}>
      <input name="Message" class="w-input" maxlength="256"><input type="submit" data-wait="Please wait..." class="w-button" value="Submit">
      </form><div class="w-form-done" style="display:none">Thank you!</div><div class="w-form-fail" style="display:none">Oops!</div></div>`;
    const page = (attributes) => `${WEBFLOW_FORMS}<div data-xano-channel="${ROOM}"><div data-xano-list="messages"><p data-xano-text="payload.message"></p></div>${form(attributes)}</div>`;
    const ours = await make(page(`data-xano-form="object"`));
    await ours.connected();
    await ours.say("to the channel");
    await ours.shows("p", ["to the channel"]);
    await ours.shows("form", [""]);
    assert.deepEqual(await ours.page.evaluate("takenByWebflow"), []);
    assert.equal(await ours.page.isEnabled("[type=submit]"), true);
    await ours.shows(".w-form-done", []);
    const other = await make(page(""));
    await other.connected();
    await other.say("to Webflow");
    await other.shows(".w-form-done", ["Thank you!"]);
    assert.deepEqual((await other.page.evaluate("takenByWebflow"))[0], { Message: "to Webflow" });
  });

  test("a form may be marked on the block around it, send plain text, and never a password", async (t) => {
    await fresh(t);
    const made = await make(`<div data-xano-channel="${ROOM}"><div data-xano-list="messages"><p data-xano-text="payload"></p></div>
      <div class="w-form" data-xano-form="text"><form><input name="Message"><input type="submit"></form></div>
      <form id="login" data-xano-form="object"><input name="user" value="noor"><input name="secret" type="password" value="s3cret"><input type="checkbox" name="tag" value="a" checked><input type="checkbox" name="tag" value="b" checked><button type="submit">Go</button></form></div>`);
    await made.connected();
    await made.say("plain words");
    await made.shows("p", ["plain words"]);
    await made.page.click("button");
    await made.shows("p", ["plain words", `{"user":"noor","tag":["a","b"]}`]);
    await made.complains(/<form id="login">: Passwords and files are not sent/);
  });

  test("several channels, one inside the other, stay apart; events have a list of their own", async (t) => {
    await fresh(t);
    const room = (name, inner = "") => `<section data-xano-channel="${name}" id="${name}">
      <ol class="talk" data-xano-list="messages" data-xano-limit="3"><li data-xano-text="payload.message"></li><li>a sample</li></ol>
      <div class="news" data-xano-list="events" data-xano-order="newest" data-xano-limit="2"><template><p data-xano-text="payload.data"></p></template></div>
      <form data-xano-form="object"><input name="Message"><input type="submit"></form>${inner}</section>`;
    const made = await make(room(ROOM, room("dc-chat-room")));
    await made.page.waitForSelector(`#dc-chat-room[data-xano-state=connected]`);
    const say = async (id, text) => {
      await made.page.fill(`#${id} > form [name=Message]`, text);
      await made.page.click(`#${id} > form [type=submit]`);
    };
    for (const text of ["1", "2", "3", "4"]) await say(ROOM, text);
    await say("dc-chat-room", "other");
    await made.shows(`#${ROOM} > .talk > li`, ["2", "3", "4"]);
    await made.shows("#dc-chat-room > .talk > li", ["other"]);
    for (const data of ["one", "two", "three"]) await push(data);
    await made.shows(`#${ROOM} > .news > p`, ["three", "two"]);
    await made.shows("#dc-chat-room > .news > p", []);
    made.noProblems();
  });

  test("what comes to the page later is taken in, and what goes leaves its channel", async (t) => {
    await fresh(t);
    const witness = await visit();
    const made = await make("<main></main>");
    await made.page.waitForFunction("XanoAttributes.client");
    await made.page.evaluate((room) => {
      document.querySelector("main").innerHTML = `<div data-xano-channel="${room}"><div data-xano-list="messages"><p data-xano-text="payload.message"></p></div></div>`;
    }, ROOM);
    await made.connected();
    await witness.shows(".people-number", ["2"]);
    await witness.say("welcome");
    await made.shows("p", ["welcome"]);
    await made.page.evaluate(() => {
      document.querySelector("[data-xano-channel]").insertAdjacentHTML("beforeend", `<b data-xano-count="members"></b>`);
      XanoAttributes.scan();
      document.querySelector("main").append(document.querySelector("[data-xano-channel]"));
    });
    await made.shows("p", ["welcome"]);
    await made.page.evaluate(`document.querySelector("main").replaceChildren()`);
    await witness.shows(".people-number", ["1"]);
    made.noProblems();
  });

  test("elements are shown by status and by error in the maker's own words, however they are hidden", async (t) => {
    await fresh(t);
    const made = await make(`<style>.hide { display: none }</style><div data-xano-channel="no-such-channel">
      <span class="hide" data-xano-status="connecting reconnecting">Moment mal</span><span class="hide" data-xano-status="connected">Da</span>
      <span class="hide" data-xano-status="closed" data-xano-display="inline-flex">Zu</span>
      <em class="hide" data-xano-error="channel_not_found">Gibt es nicht</em><em class="hide" data-xano-error="invalid_token">Bitte anmelden</em>
      <form data-xano-form="object"><input name="Message"><button type="submit">Los</button></form></div>`);
    await made.shows("span", ["Zu"]);
    await made.shows("em", ["Gibt es nicht"]);
    assert.equal(await made.page.$eval("[data-xano-display]", (one) => getComputedStyle(one).display), "inline-flex");
    assert.equal(await made.page.isDisabled("button"), true);
    await made.complains(/Create the channel in the realtime settings/);
  });

  test("it can be used by those who hear it, and by those who have no mouse", async (t) => {
    await fresh(t);
    const noor = await visit();
    await noor.say("hello");
    await noor.shows(BUBBLES, ["hello"]);
    const tree = await noor.page.locator(".chat").ariaSnapshot();
    for (const line of [/- log "Messages":/, /- status: Connected/, /- textbox "Your name"/, /- textbox "Message"/, /- button "Send"/]) assert.match(tree, line);
    const log = await noor.page.$eval("[data-xano-list=messages]", (one) => ["role", "aria-live", "tabindex"].map((name) => one.getAttribute(name)));
    assert.deepEqual(log, ["log", "polite", "0"]);
    await noor.page.waitForSelector("[data-xano-list=messages][aria-busy=false]");
  });

  test("a list stays at its end, unless somebody reads further up", async (t) => {
    await fresh(t);
    const [noor, jonas] = [await visit(), await visit()];
    for (let number = 0; number < 20; number += 1) await noor.say(`message ${number}`);
    await waitFor(async () => (await jonas.texts(BUBBLES)).length === 20, () => "all are there");
    const below = () => jonas.page.$eval(".messages", (one) => Math.round(one.scrollHeight - one.clientHeight - one.scrollTop));
    assert.ok((await below()) <= 1);
    await jonas.page.$eval(".messages", (one) => (one.scrollTop = 0));
    await noor.say("one more");
    await waitFor(async () => (await jonas.texts(BUBBLES)).length === 21, () => "it is there");
    assert.equal(await jonas.page.$eval(".messages", (one) => one.scrollTop), 0);
    await jonas.say("my own");
    await waitFor(async () => (await below()) <= 1, () => "my own is in sight");
  });

  test("the page works from disk, with its scripts from the server or from disk", async (t) => {
    await fresh(t);
    const witness = await visit();
    const folder = await mkdtemp(join(tmpdir(), "xano-webflow-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, "webflow"));
    await writeFile(join(folder, "webflow/site.css"), await read("www/webflow/site.css"));
    const html = (await read("www/webflow/index.html")).replace("CONNECTION_HASH", server.hash);
    await writeFile(join(folder, "webflow/served.html"), html.replaceAll("../sdk/", `${server.origin}/sdk/`));
    const sdk = fileURLToPath(new URL("../../www/sdk/", import.meta.url));
    await writeFile(join(folder, "webflow/disk.html"), html.replaceAll("../sdk/", `file://${sdk}`));
    const lost = kept(await Made.visit(browser, `file://${folder}/webflow/disk.html`));
    await lost.shows(ERROR, [`The server's address is missing. Add data-xano-instance="https://…" to this script tag.`]);
    const whole = html.replace("data-xano-hash", `data-xano-instance="${server.origin}" data-xano-hash`);
    await writeFile(join(folder, "webflow/disk.html"), whole.replaceAll("../sdk/", `file://${sdk}`));
    for (const file of ["served", "disk"]) {
      const made = await visit(`file://${folder}/webflow/${file}.html`);
      await made.say(file);
      await made.shows(MINE, [file]);
      made.noProblems();
    }
    await witness.shows(BUBBLES, ["served", "disk"]);
  });

  test("no page is wider than its screen, in the light and in the dark", async (t) => {
    await fresh(t);
    for (const width of [320, 390, 768, 1280]) {
      for (const path of ["/webflow/", "/webflow/recipe.html"]) {
        const made = kept(await Made.visit(browser, server.origin + path, { viewport: { width, height: 800 }, colorScheme: width > 400 ? "light" : "dark" }));
        assert.ok((await made.page.evaluate("document.documentElement.scrollWidth")) <= width, `${path} at ${width}`);
      }
    }
  });
});
