import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { write } from "../../tools/api-page/write.js";
import { installReact } from "./support/react.js";
import { typeCheck } from "./support/types.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path) => readFile(root(path), "utf8");

describe("docs/api.md", () => {
  let page;

  before(async () => {
    page = await read("docs/api.md");
  });

  test("says what the types say: everything is on it, described, and no link leads nowhere", async () => {
    // It throws for what has no words, no section, or a link to what is not there.
    const written = await write();
    assert.ok(written === page, "docs/api.md is out of date: run `node tools/api-page/write.js`");
  });

  test("its links, and those of the other pages to it, lead somewhere", async () => {
    const ids = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length, "two places have one address");
    const own = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, id]) => id);
    assert.ok(own.length > 50);
    assert.deepEqual([...new Set(own)].filter((id) => !ids.includes(id)), []);
    const docs = (await readdir(root("docs"))).filter((name) => name.endsWith(".md"));
    for (const name of docs) {
      const text = await read(`docs/${name}`);
      for (const [, id] of text.matchAll(/\]\(api\.md#([^)]+)\)/g)) assert.ok(ids.includes(id), `${name} links to api.md#${id}`);
    }
    for (const [, name] of page.matchAll(/\]\(([\w-]+\.md)/g)) assert.ok(docs.includes(name), `it links to ${name}`);
  });

  test("its examples type-check under --strict", async (t) => {
    const examples = [...page.matchAll(/^\*\*Examples?\*\*\n\n```ts\n(.*?)^```/gms)].map(([, code]) => code);
    assert.equal(examples.length, (await read("crates/sdk/js/index.d.ts")).split("@example").length - 1);
    const files = Object.fromEntries(examples.map((code, index) => [`example${index}.ts`, code]));
    const folder = await installReact(t, files);
    await typeCheck(folder, Object.keys(files), ["--lib", "es2022,dom"]);
  });
});
