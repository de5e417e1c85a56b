import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { waitFor } from "./support/chat.js";
import { Made, Site } from "./support/made.js";
import { withBrowserAndServer } from "./support/suite.js";

const root = new URL("../../", import.meta.url);
const read = (path) => readFile(new URL(path, root), "utf8");
const guide = await read("docs/webflow.md");
const blocks = (language) => [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);
const [footer, chat, ticker, words, members, head, elements, footerOfPage, ...others] = blocks("html");

describe("docs/webflow.md", () => {
  let browser;
  let server;
  let site;
  const made = [];

  withBrowserAndServer((suite) => ({ browser, server } = suite));
  before(async () => (site = await Site.start()));
  after(() => site?.stop());

  const here = (code) => code.replaceAll("https://YOUR-SERVER", server.origin).replaceAll("YOUR-HASH", server.hash);
  const open = async (...code) => {
    const page = await Made.open(browser, site, here(code.join("\n")));
    made.push(page);
    return page;
  };

  test("has the blocks that are run here, and no other", () => {
    assert.deepEqual(others, []);
    const languages = [...guide.matchAll(/^```(\w+)$/gm)].map(([, language]) => language);
    assert.deepEqual([...new Set(languages)].sort(), ["html", "sh"]);
    assert.equal(blocks("sh").length, 1);
  });

  test("its six steps are a chat", async () => {
    const [noor, jonas] = [await open(chat, footer), await open(chat, footer)];
    for (const page of [noor, jonas]) {
      await page.connected();
      await page.shows("[data-xano-count]", ["2"]);
      await page.shows("[data-xano-empty]", ["Nobody has said anything yet."]);
    }
    await noor.say("Has anybody read it?", { name: "Noor" });
    await jonas.say("Twice.", { enter: true });
    for (const page of [noor, jonas]) {
      await page.shows("[data-xano-text='payload.Name']", ["Noor", "Guest"]);
      await page.shows("[data-xano-text='payload.Message']", ["Has anybody read it?", "Twice."]);
      await page.shows("[data-xano-empty], [data-xano-error]", []);
      page.noProblems();
    }
    await noor.close();
    await jonas.close();
  });

  test("its ticker shows what its command pushes", async () => {
    const page = await open(ticker, footer);
    await page.connected();
    const [, channel, data] = /--channel (\S+) --data '(.*)'/.exec(blocks("sh")[0]);
    await server.admin("POST", "/event", { channel, data: JSON.parse(data) });
    await page.shows("[data-xano-text]", ["The big anthology is back in stock"]);
    page.noProblems();
    await page.close();
  });

  test("its own words are shown one at a time", async () => {
    const page = await open(words, footer);
    await page.connected();
    await page.shows("p", ["Wir sind da."]);
    page.noProblems();
    await page.close();
  });

  test("its tags for members bring the token", async () => {
    const person = { name: "Wanda", email: "wanda@example.com", password: "scarlet witch" };
    const signup = await fetch(`${server.origin}/api:main/auth/signup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(person),
    });
    const { authToken } = await signup.json();
    const login = `<script>localStorage.setItem("authToken", ${JSON.stringify(authToken)})</script>`;
    const list = `<div data-xano-channel="marvel-hq"><ul data-xano-presence="members"><li data-xano-text="client.extras.name"></li></ul></div>`;
    const page = await open(login, list, members);
    await page.shows("li", ["Wanda"]);
    page.noProblems();
    await page.close();
  });

  test("its recipe runs", async () => {
    const pages = [await open(head, elements, footerOfPage), await open(head, elements, footerOfPage)];
    for (const { page } of pages) await waitFor(() => page.lines.some((line) => /action: join/.test(line)), () => `it has joined: ${page.lines}`);
    await pages[0].page.fill("#messageInput", "<b>Hello</b>");
    await pages[0].page.click("#sendButton");
    for (const page of pages) {
      await page.shows(".chatbox .message-text:last-child", ["<b>Hello</b>"]);
      page.noProblems();
      await page.close();
    }
  });

  test("it names every attribute that there is, and no other", async () => {
    const rules = /const RULES = \{(.*?)\n\};/s.exec(await read("crates/sdk/js/attributes/check.js"))[1];
    const known = [...rules.matchAll(/^ {2}"?([\w-]+)"?:/gm)].map(([, name]) => `data-xano-${name}`);
    assert.ok(known.length > 20);
    const tables = [...guide.matchAll(/^\| `(data-xano-[\w-]+)` \|.*$/gm)].map(([, name]) => name);
    assert.deepEqual([...tables, "data-xano-canonical"].sort(), known.sort());
    const named = new Set([...guide.matchAll(/data-xano-[a-z-]*[a-z]/g)].map(([name]) => name));
    assert.deepEqual([...named].filter((name) => !known.includes(name)), []);
  });

  test("the script, or the server, says what the guide explains", async () => {
    const said = [await read("dist/xano-attributes.min.js"), await read("dist/xano.min.js"), await read("PROTOCOL.md"), await read("crates/protocol/src/error_code.rs")].join("\n");
    const table = /^\| the console says .*?\n\n/ms.exec(guide)[0];
    const texts = table.split("\n").slice(2).flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, text]) => text));
    assert.ok(texts.length > 15);
    assert.deepEqual(texts.filter((text) => !said.includes(text)), []);
  });

  test("its pictures are there", async () => {
    const pictures = [...guide.matchAll(/(?:src="|\]\()(webflow\/[\w.-]+)/g)].map(([, path]) => path);
    assert.equal(new Set(pictures).size, 6);
    for (const path of pictures) assert.ok((await readFile(new URL(`docs/${path}`, root))).length > 1000, path);
  });
});
