import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { waitFor } from "./support/chat.js";
import { Line } from "./support/line.js";
import { Made, Site, tags } from "./support/made.js";
import { withBrowserAndServer } from "./support/suite.js";

const ROOM = "marvel-chat-room";

describe("pages made with attributes, as people and pages do odd things", () => {
  let browser;
  let server;
  let site;

  withBrowserAndServer((made) => ({ browser, server } = made));
  before(async () => (site = await Site.start()));
  after(() => site?.stop());

  const make = async (t, body) => {
    const made = await Made.open(browser, site, body + tags(server));
    t.after(() => made.close());
    await made.connected();
    return made;
  };
  const push = (data) => server.admin("POST", "/event", { channel: ROOM, data });

  test("a channel that leaves the page and comes back goes on with its rows and its pattern", async (t) => {
    const made = await make(
      t,
      `<main><div id="room" data-xano-channel="${ROOM}" data-xano-history="false">
         <ul data-xano-list="events"><li class="row">At <b data-xano-text="payload.data"></b></li></ul>
         <p data-xano-empty="events">Nothing yet</p>
       </div></main>`,
    );
    const leave = () => made.page.evaluate(`window.room = document.querySelector("#room"), room.remove()`);
    const comeBack = async () => {
      await made.page.evaluate(`room.dataset.xanoState = "", document.querySelector("main").append(room)`);
      await made.connected();
    };
    const status = () => made.page.evaluate("XanoAttributes.client.status");
    await leave();
    await waitFor(async () => (await status()) === "idle", async () => `its channel is left: ${await status()}`);
    await comeBack();
    await push("one");
    await made.shows(".row", ["At one"]);
    await leave();
    await waitFor(async () => (await status()) === "idle", async () => `its channel is left again: ${await status()}`);
    await comeBack();
    await push("two");
    await made.shows(".row", ["At one", "At two"]);
    await made.shows("[data-xano-empty]", []);
    made.noProblems();
  });

  test("a name of blanks is none", async (t) => {
    const made = await make(
      t,
      `<div data-xano-channel="${ROOM}" data-xano-history="false"><ul data-xano-list="events">
         <li><b data-xano-text="payload.data.name | payload.data.other" data-xano-fallback="Guest"></b></li>
       </ul></div>`,
    );
    for (const data of [{ name: " \t" }, { name: " ", other: 0 }, { name: { trim: 1 } }, { name: " Noor " }]) await push(data);
    await made.shows("b", ["Guest", "0", '{"trim":1}', "Noor"]);
    made.noProblems();
  });

  test("what is written into a password field is kept nowhere, though it is to be kept", async (t) => {
    const made = await make(
      t,
      `<div data-xano-channel="${ROOM}"><ul data-xano-list="messages"><li data-xano-text="payload.Message"></li></ul>
         <form data-xano-form="object"><input name="Name" data-xano-keep="true"><input type="password" name="Pin" data-xano-keep="true">
         <input name="Message"><input type="submit"></form></div>`,
    );
    await made.page.fill("[name=Pin]", "hunter2");
    await made.say("hello", { name: "Noor" });
    await made.shows("li", ["hello"]);
    const stored = await made.page.evaluate("JSON.stringify({ ...sessionStorage, ...localStorage })");
    assert.match(stored, /Noor/);
    assert.doesNotMatch(stored, /hunter2/);
  });

  test("a channel without a history that comes back says what was missed meanwhile, and only then", async (t) => {
    const made = await make(
      t,
      `<main><div id="room" data-xano-channel="${ROOM}" data-xano-history="false">
         <div data-xano-list="events"><p class="row" data-xano-text="payload.data"></p></div>
         <p class="row" data-xano-gap="mark">missed: <b data-xano-text="payload.missed"></b></p>
       </div></main>`,
    );
    const status = () => made.page.evaluate("XanoAttributes.client.status");
    const away = async (...meanwhile) => {
      await made.page.evaluate(`window.room = document.querySelector("#room"), room.remove()`);
      await waitFor(async () => (await status()) === "idle", async () => `its channel is left: ${await status()}`);
      for (const data of meanwhile) await push(data);
      await made.page.evaluate(`room.dataset.xanoState = "", document.querySelector("main").append(room)`);
      await made.connected();
    };
    await away();
    await push("one");
    await made.shows(".row", ["one"]);
    await away("two", "three");
    await push("four");
    await made.shows(".row", ["one", "missed: 2", "four"]);
    await away();
    await push("five");
    await made.shows(".row", ["one", "missed: 2", "four", "five"]);
    made.noProblems();
  });

  test("rows that fill a list up after a lost connection are not read out one by one", async (t) => {
    const line = await Line.to(server);
    t.after(() => line.dispose());
    const body = `<div data-xano-channel="dc-chat-room"><p data-xano-status="text"></p><div data-xano-list="all"><p class="row" data-xano-text="payload.data"></p></div></div>`;
    const made = await Made.open(browser, site, body + tags({ origin: line.origin, hash: server.hash }));
    t.after(() => made.close());
    await made.page.waitForSelector("[aria-busy=false]", { state: "attached" });
    await made.page.evaluate(() => {
      window.read = [];
      const list = document.querySelector("[data-xano-list]");
      const note = (changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((row) => read.push([row.textContent, list.getAttribute("aria-busy")])));
      new MutationObserver(note).observe(list, { childList: true });
    });
    const say = (data) => server.admin("POST", "/event", { channel: "dc-chat-room", data });
    await say("live");
    await made.shows(".row", ["live"]);
    line.cut();
    await made.shows("[data-xano-status]", ["Connection lost, trying again…"]);
    for (const data of ["missed", "as well"]) await say(data);
    line.mend();
    await made.shows(".row", ["live", "missed", "as well"]);
    await made.page.waitForSelector("[aria-busy=false]");
    await say("live again");
    await made.shows(".row", ["live", "missed", "as well", "live again"]);
    assert.deepEqual(await made.page.evaluate("read"), [["live", "false"], ["missed", "true"], ["as well", "true"], ["live again", "false"]]);
  });

  test("Enter that ends a word in an input method does not send, in Safari either", async (t) => {
    const made = await make(
      t,
      `<div data-xano-channel="dc-chat-room"><ul data-xano-list="messages"><li data-xano-text="payload.Message"></li></ul>
         <form data-xano-form="object"><textarea name="Message"></textarea><input type="submit"></form></div>`,
    );
    await made.page.fill("textarea", "にほん");
    const press = (keyCode) =>
      made.page.$eval("textarea", (area, keyCode) => area.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode, bubbles: true, cancelable: true })), keyCode);
    await press(229);
    assert.equal(await made.page.inputValue("textarea"), "にほん");
    await press(13);
    await made.shows("li", ["にほん"]);
  });

  test("fields may be called as what every form has", async (t) => {
    const names = ["id", "name", "elements", "attributes", "action", "method", "length", "reset", "submit", "requestSubmit"];
    const made = await make(
      t,
      `<div data-xano-channel="dc-chat-room" data-xano-history="false"><ul data-xano-list="messages"><li class="row" data-xano-text="payload"></li></ul>
         <form id="talk" data-xano-form="object">${names.map((name) => `<input name="${name}">`).join("")}
           <textarea name="Message"></textarea><input type="password" name="elements"><input type="submit"></form></div>`,
    );
    await made.complains(/<form id="talk">: Passwords and files are not sent/);
    await made.page.fill("[name=id]", "7");
    await made.page.fill("textarea", "hello");
    await made.page.press("textarea", "Enter");
    const said = { ...Object.fromEntries(names.map((name) => [name, ""])), id: "7", Message: "hello" };
    delete said.elements;
    await made.shows(".row", [JSON.stringify(said)]);
    await waitFor(async () => (await made.page.inputValue("textarea")) === "", () => "the form is emptied");
    assert.equal(await made.page.inputValue("[name=id]"), "");
    assert.deepEqual(made.page.problems, []);
  });

  test("what keeps a part of a form keeps the fields in it", async (t) => {
    const made = await make(
      t,
      `<div data-xano-channel="dc-chat-room" data-xano-history="false"><ul data-xano-list="messages"><li class="row" data-xano-text="payload"></li></ul>
         <form data-xano-form="object"><div data-xano-keep="true"><input name="Name"><p><input name="Team"></p></div>
           <input name="Message"><input type="submit"></form>
         <form data-xano-form="object" data-xano-keep="true" class="whole"><input name="Other"></form></div>`,
    );
    await made.complains(/<form class="whole">: data-xano-keep does nothing here. Put it on a field of the form/);
    await made.page.fill("[name=Name]", "Noor");
    await made.page.fill("[name=Team]", "Red");
    await made.page.fill("[name=Message]", "hello");
    await made.page.press("[name=Message]", "Enter");
    await made.shows(".row", [`{"Name":"Noor","Team":"Red","Message":"hello"}`]);
    const values = () => made.page.$$eval("form:first-of-type input[name]", (fields) => fields.map(({ value }) => value));
    assert.deepEqual(await values(), ["Noor", "Red", ""]);
    await made.page.reload();
    await made.connected();
    assert.deepEqual(await values(), ["Noor", "Red", ""]);
  });

  test("a script of the page's own finds what the types say", async (t) => {
    const made = await make(t, `<div data-xano-channel="${ROOM}"></div>`);
    const declared = /interface XanoAttributes \{(.*?)^\}/ms.exec(await readFile(new URL("../../crates/sdk/js/attributes.d.ts", import.meta.url), "utf8"))[1];
    const names = [...declared.matchAll(/^ {2}(?:readonly )?(\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(await made.page.evaluate("Object.keys(XanoAttributes)"), names);
  });

  test("the server says where its example is, and knows the address without the slash too", async () => {
    const [, address] = /Webflow example +(\S+)\/$/m.exec(server.told.join("\n"));
    const made = await Made.visit(browser, address);
    await made.connected();
    assert.equal(made.page.url(), `${server.origin}/webflow/`);
    made.noProblems();
    await made.close();
  });

  test("an attribute that is called as every object's own is a misspelling like any other", async (t) => {
    const made = await make(t, `<p data-xano-constructor="a" data-xano-__proto__="b"></p><div data-xano-channel="${ROOM}"></div>`);
    for (const name of ["constructor", "__proto__"]) await made.complains(new RegExp(`There is no attribute data-xano-${name}`));
    assert.deepEqual(made.page.problems, []);
  });
});
