import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { sentences, sources } from "./support/texts.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path) => readFile(root(path), "utf8");

/** What looks like a sentence and is none. */
const OTHERS = ["application/json, text/plain, */*", "use client", "…=…; expires=…; path=…"];

/** The SDK's own; docs/webflow.md explains what the script for pages without code says. */
const MODULES = /^(?!attributes)[\w-]+\.js$/;

describe("docs/errors.md", () => {
  let page;

  before(async () => {
    page = await read("docs/errors.md");
  });

  /** Fails where a text is not on the page as it is. */
  const explains = (texts, where) => {
    assert.deepEqual(texts.filter((text) => !OTHERS.includes(text) && !page.includes(text)), [], `${where} says what the page does not explain`);
  };

  test("explains every text of the SDK's JavaScript", async () => {
    const files = await sources(root("crates/sdk/js"), MODULES);
    const texts = [...files].flatMap(([name, text]) => sentences(name, text));
    assert.ok(files.size >= 8 && texts.length >= 28, `${files.size} files, ${texts.length} texts`);
    explains(texts, "crates/sdk/js");
    explains([...files.values()].flatMap((text) => [...text.matchAll(/coded\("([^"]+)"/g)].map(([, first]) => first)), "crates/sdk/js");
  });

  test("explains every text of the SDK's Rust", async () => {
    const files = await sources(root("crates/sdk/src"), /\.rs$/);
    const texts = [...files].flatMap(([name, text]) => sentences(name, text));
    assert.ok(texts.length >= 12, `${texts.length} texts`);
    explains(texts, "crates/sdk/src");
  });

  test("has every text and reason that the server sends", async () => {
    for (const name of ["error_code.rs", "close_code.rs"]) {
      const texts = sentences(name, await read(`crates/protocol/src/${name}`));
      assert.ok(texts.length >= 11, `${name} has ${texts.length} texts`);
      explains(texts, name);
    }
  });

  test("has every code that the types know, beside its text", async () => {
    const types = await read("crates/sdk/js/index.d.ts");
    const unions = [...types.matchAll(/export type Xano\w+Code =\n(.*?);/gs)];
    const codes = new Set(unions.flatMap(([, union]) => [...union.matchAll(/"(\w+)"/g)].map(([, code]) => code)));
    assert.ok(codes.size > 45, `${codes.size} codes`);
    const cells = new Set([...page.matchAll(/\| `(\w+)`(?=:? ?[^|]*\|)/g)].map(([, code]) => code));
    assert.deepEqual([...codes].filter((code) => !cells.has(code)), []);
    for (const [, code] of (await read("crates/sdk/js/react.js")).matchAll(/code: "(\w+)"/g)) assert.ok(cells.has(code), code);
  });

  test("explains nothing that is not there any more", async () => {
    const files = [...(await sources(root("crates/sdk/js"), MODULES)), ...(await sources(root("crates/sdk/src"), /\.rs$/))];
    for (const name of ["error_code.rs", "close_code.rs"]) files.push([name, await read(`crates/protocol/src/${name}`)]);
    const texts = files.flatMap(([name, text]) => [...sentences(name, text), ...[...text.matchAll(/coded\("([^"]+)"/g)].map(([, first]) => first)]);
    const first = [...page.matchAll(/^\| (.*?) \| /gm)].map(([, cell]) => cell).filter((cell) => cell.startsWith("`"));
    const said = first.flatMap((cell) => [...cell.matchAll(/``(.+?)``|`([^`]+)`/g)].map(([, double, single]) => double ?? single)).filter((text) => / |canceled/.test(text));
    assert.ok(said.length > 60, `${said.length} texts`);
    const gone = said.filter((text) => !texts.some((known) => text === known || text.replace(/ Close code: …$/, "") === known));
    assert.deepEqual(gone, []);
  });

  test("links to what is there", async () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title.toLowerCase().replace(/ /g, "-"));
    for (const [, id] of page.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.includes(id), id);
    const docs = await readdir(root("docs"));
    for (const [, name] of page.matchAll(/\]\(([\w-]+\.md)/g)) assert.ok(docs.includes(name), name);
    assert.match(await read("PROTOCOL.md"), /^## Errors$/m);
    assert.match(await read("docs/switching.md"), /^## Without axios$/m);
  });
});
