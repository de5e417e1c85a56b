import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as oursInNode from "../../dist/index.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { calls } from "./support/calls.js";
import { Recorder } from "./support/recorder.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const theirsInNode = createRequire(import.meta.url)("@xano/js-sdk");
const SCRIPT_NAMES = ["XanoBaseStorage", "XanoClient", "XanoCookieStorage", "XanoLocalStorage", "XanoObjectStorage", "XanoSessionStorage"];

/** Rows that no call shows: switching.test.js has them. */
const ELSEWHERE = [
  "Modules",
  "Storages without a page",
  "Streams: a listener that throws",
  "Streams: bound",
  "Subclasses",
  "The default import",
  "The stored realtime token",
];

/** Makes one call with one SDK; what came of it, as plain data. Runs in Node.js and in pages. */
async function make(run, { sdk, Client, origin, theirs, argument }) {
  const see = (response) => {
    const { "content-type": type } = response.getHeaders();
    return [response.getStatusCode(), response.getBody(), type ?? null];
  };
  const client = (config) =>
    new Client({ apiGroupBaseUrl: `${origin}/api:1`, storage: new sdk.XanoObjectStorage(), ...config });
  const file = (name, type, text) =>
    typeof window === "undefined" ? new sdk.XanoFile(name, new TextEncoder().encode(text)) : new File([text], name, { type });
  try {
    const result = await run({ sdk, make: client, see, file, origin, theirs }, argument);
    return JSON.parse(JSON.stringify({ result: result ?? null }));
  } catch (error) {
    const { message, code = null } = error;
    return { error: message, code, answer: error.getResponse ? see(error.getResponse()) : null };
  }
}

/** The first cells of the table of differences. */
async function differences() {
  const text = await readFile(root("docs/switching.md"), "utf8");
  const [, table] = /^## What differs$(.*?)^## /ms.exec(text);
  return [...table.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell.replaceAll("`", ""));
}

function judge(place, call, theirs, ours) {
  const differs = call.differs && (call.place ?? place) === place;
  if (!differs) {
    assert.deepEqual(ours.outcome, theirs.outcome);
    if (call.requests !== false) assert.deepEqual(ours.requests, theirs.requests);
    return;
  }
  assert.notDeepEqual(ours, theirs, "there is no difference any more");
  if (call.ours) {
    assert.equal(ours.requests.length, call.ours.length);
    call.ours.forEach((expected, index) => {
      const { method, url, headers, body } = ours.requests[index];
      assert.deepEqual([method, url, headers, body].slice(0, expected.length), expected);
    });
  }
  if (call.fields) {
    const fields = ours.requests[0].body.filter(({ name }) => call.fields.some(([wanted]) => wanted === name));
    const told = fields.map(({ name, text, type }, index) => [name, text, type].slice(0, call.fields[index].length));
    assert.deepEqual(told, call.fields);
    assert.ok(!ours.requests[0].body.some(({ text }) => text === "undefined"));
  }
  if ("result" in call) assert.deepEqual(ours.outcome, { result: call.result });
}

describe("requests, side by side with @xano/js-sdk", () => {
  let recorder;
  let browser;
  let pages;

  before(async () => {
    recorder = await Recorder.start();
    browser = await launchBrowser();
    pages = {};
    for (const [name, path] of [["theirs", "node_modules/@xano/js-sdk/dist/xano.min.js"], ["ours", "dist/xano.min.js"]]) {
      pages[name] = await openTab(browser, `${recorder.origin}/page`);
      await pages[name].addScriptTag({ path: root(path) });
      await pages[name].evaluate(`globalThis.makeCall = ${make}`);
    }
  });
  after(async () => {
    await browser?.close();
    await recorder?.stop();
  });

  const inNode = async ({ run, argument }, sdk) => {
    const outcome = await make(run, { sdk, Client: sdk.XanoNodeClient, origin: recorder.origin, theirs: Object.keys(theirsInNode), argument });
    return { outcome, requests: recorder.take() };
  };
  const inPage = async ({ run, argument }, page) => {
    const given = JSON.stringify({ origin: recorder.origin, theirs: SCRIPT_NAMES, argument });
    const outcome = await page.evaluate(`makeCall(${run}, { sdk: globalThis, Client: XanoClient, ...${given} })`);
    return { outcome, requests: recorder.take() };
  };

  for (const call of calls) {
    if (call.only !== "browser") {
      test(`${call.name}, in Node.js`, async () => {
        judge("node", call, await inNode(call, theirsInNode), await inNode(call, oursInNode));
      });
    }
    if (call.only !== "node") {
      test(`${call.name}, in a browser`, async () => {
        judge("browser", call, await inPage(call, pages.theirs), await inPage(call, pages.ours));
      });
    }
  }

  test("every difference is documented, and every row of the document is a difference", async () => {
    const shown = new Set([...calls.map(({ differs }) => differs).filter(Boolean), ...ELSEWHERE]);
    assert.deepEqual((await differences()).slice(1).sort(), [...shown].sort());
  });
});
