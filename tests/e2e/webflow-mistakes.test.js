import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Made, Site, tags } from "./support/made.js";
import { Server } from "./support/server.js";

const ROOM = "marvel-chat-room";

describe("what is wrong in a page made with attributes is told with its place and its cure", () => {
  let browser;
  let server;
  let site;
  const cases = [
    [`<p data-xano-chanel="a"></p>`, "<p>: There is no attribute data-xano-chanel. Did you mean data-xano-channel?"],
    [`<ul class="feed" data-xano-list="messages"><li></li></ul>`, `<ul class="feed">: data-xano-list does nothing here. Put it inside the element with data-xano-channel.`],
    [`<div data-xano-channel=""></div>`, "<div>: The channel name is missing. Correct data-xano-channel."],
    [`<div data-xano-channel="dc-chat-room"><b id="x" data-xano-text="payload"></b></div>`, `<b id="x">: data-xano-text does nothing here. Put it inside the first child of a data-xano-list or data-xano-presence.`],
    [`<div data-xano-channel="dc-chat-room"><ul data-xano-list="messages"></ul></div>`, "<ul>: It is empty. Put one element into it that says what a row looks like."],
    [`<div data-xano-channel="dc-chat-room"><ul data-xano-list="messages"><li data-xano-text="text"></li></ul></div>`, `<li>: data-xano-text="text" is not understood. Expected: payload, client, action, ts, id, seq, or a path from there, as in payload.message.`],
    [`<div data-xano-channel="dc-chat-room"><ul data-xano-list="chat"><li></li></ul></div>`, `<ul>: data-xano-list="chat" is not understood. Expected: messages, events, all.`],
    [`<div data-xano-channel="dc-chat-room"><ul data-xano-list="messages" data-xano-limit="5000"><li></li></ul></div>`, `<ul>: data-xano-limit="5000" is not understood. Expected: a number from 1 to 1000.`],
    [`<div data-xano-channel="dc-chat-room"><ul data-xano-list="messages"><li><i data-xano-presence="a"></i></li></ul></div>`, "<i>: data-xano-presence does nothing inside a row."],
    [`<div data-xano-channel="dc-chat-room"><div data-xano-form="object"></div></div>`, "<div>: data-xano-form is for a form, and there is none here."],
    [`<p data-xano-hash="abc"></p>`, "<p>: data-xano-hash does nothing here. Put it on the script tag."],
  ];

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
  for (const [body, complaint] of cases) {
    test(complaint, async () => {
      const made = await Made.open(browser, site, body + tags(server));
      await waitFor(() => made.complaints().length > 0, () => "it is told");
      assert.ok(made.complaints()[0].startsWith(`xano-attributes: ${complaint}`), made.complaints());
      assert.deepEqual(made.page.problems, []);
    });
  }

  const LIVE = `<div data-xano-channel="${ROOM}"><p data-xano-error="text">!</p><span data-xano-status="text"></span><form data-xano-form="object"><input name="Message" value="x"><input type="submit"></form></div>`;
  const attributes = (more) => `<script src="${server.origin}/sdk/xano-attributes.min.js" ${more} defer></script>`;
  const main = () => `<script src="${server.origin}/sdk/xano.min.js" defer></script>`;
  const settings = [
    ["the hash is missing", () => main() + attributes(""), /The connection hash is missing\. Add data-xano-hash/],
    ["the other script is missing", () => attributes(`data-xano-hash="a"`), /xano\.min\.js is not on the page\. Put its script tag before this one/],
    ["the hash is wrong", () => main() + attributes(`data-xano-hash="nobody-knows-it"`), /Unknown connection hash/],
    ["the address is none", () => main() + attributes(`data-xano-hash="a" data-xano-instance="realtime.example.com"`), /The server's address is missing\. Add data-xano-instance="https:/],
    ["nobody answers", () => main() + attributes(`data-xano-hash="a" data-xano-instance="http://127.0.0.1:9"`), /No answer|reach|answers/],
  ];
  for (const [what, scripts, words] of settings) {
    test(what, async () => {
      const made = await Made.open(browser, site, LIVE + scripts());
      await made.complains(words);
      await waitFor(async () => words.test((await made.texts("p"))[0]), async () => `the page says so too: ${await made.texts("p")}`);
      await made.page.evaluate(`document.querySelector("form").requestSubmit()`);
      assert.equal(new URL(made.page.url()).search, "", "the form is not sent to the page's own server");
      assert.deepEqual(made.page.problems, []);
    });
  }

  test("WebAssembly is forbidden, and what is written stays in the form", async () => {
    const policy = `<meta http-equiv="Content-Security-Policy" content="script-src ${server.origin}">`;
    const html = `<!doctype html><html lang="en"><head><title>Made</title>${policy}</head><body>${LIVE}${tags(server)}</body></html>`;
    const made = await Made.visit(browser, site.publish(html));
    const words = /add 'wasm-unsafe-eval' to its script-src directive/;
    await made.complains(words);
    await waitFor(async () => words.test((await made.texts("p"))[0]), async () => `the page says so too: ${await made.texts("p")}`);
    await made.shows("span", ["Not connected"]);
    await made.page.fill("[name=Message]", "what somebody wrote");
    await made.page.press("[name=Message]", "Enter");
    await made.page.evaluate(`document.querySelector("form").requestSubmit()`);
    assert.equal(await made.page.inputValue("[name=Message]"), "what somebody wrote");
    assert.deepEqual(made.page.problems, []);
  });

  test("the order and the haste of the two tags do not matter, but one of each is enough", async () => {
    const hash = `data-xano-hash="${server.hash}"`;
    const made = await Made.open(browser, site, LIVE + attributes(hash) + main().replace("defer", "async") + attributes(hash));
    await made.connected();
    assert.deepEqual(made.complaints(), ["xano-attributes: <script>: This script is on the page twice. Remove one of its tags."]);
  });
});
