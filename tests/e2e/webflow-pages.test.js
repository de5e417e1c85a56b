import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Made, Site, tags } from "./support/made.js";
import { Server } from "./support/server.js";

const ROOM = "marvel-chat-room";

describe("pages made with attributes, as people and pages do odd things", () => {
  let browser;
  let server;
  let site;

  before(async () => {
    server = await Server.start();
    site = await Site.start();
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    site?.stop();
    await server?.dispose();
  });

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
