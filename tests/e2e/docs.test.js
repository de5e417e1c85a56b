import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Server } from "./support/server.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path) => readFile(join(root, path), "utf8");
const guides = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
const own = (await readdir(root)).filter((name) => name.endsWith(".md"));
const pages = new Map();
for (const path of [...own, ...guides, "crates/sdk/js/README.md"]) pages.set(path, await read(path));

const prose = (text) => text.replaceAll(/^ *```.*?^ *```/gms, "");
const blocks = (path) => [...pages.get(path).matchAll(/^ *```(.+)\n((?:.*\n)*?) *```/gm)].map(([, language, code]) => ({ language, code }));
/** Where a page can be pointed at: its headings as GitHub names them, and its own marks. */
const places = (text) => [
  ...[...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")),
  ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id),
];

/** The blocks of each guide that a test runs, by their languages; another one needs a test first. */
const RUN = {
  "README.md": ["diff", "html", "js", "sh"],
  "crates/sdk/js/README.md": ["js", "sh"],
  "docs/api.md": ["ts"],
  "docs/identity.md": ["exchange", "js", "json", "sh"],
  "docs/installing.md": ["html", "js", "jsx", "sh"],
  "docs/metadata-api.md": ["js", "json", "sh"],
  "docs/metrics.md": ["yaml"],
  "docs/react.md": ["tsx"],
  "docs/running.md": ["caddy", "json", "mistakes", "nginx", "output", "sh", "toml"],
  "docs/switching.md": ["html", "js", "sh"],
  "docs/triggers.md": ["http", "js", "json", "transcript", "transcript fails"],
  "docs/webflow.md": ["html", "sh"],
};

describe("the documents", () => {
  test("their links lead somewhere", async () => {
    let checked = 0;
    for (const [path, text] of pages) {
      for (const [, link = "", source] of prose(text).matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)) {
        const [file, place] = (source ?? link).split("#");
        if (/^https?:/.test(file) || file.startsWith("…")) continue;
        const target = file ? normalize(join(dirname(path), file)) : path;
        await assert.doesNotReject(async () => pages.get(target) ?? readdir(join(root, target)).catch(() => read(target)), `${path} links to ${file}`);
        if (place) assert.ok(places(pages.get(target)).includes(place), `${path} links to ${target}#${place}`);
        checked += 1;
      }
    }
    assert.ok(checked > 100, `${checked} links`);
  });

  test("they have code in no language that no test runs", () => {
    const found = [...pages.keys()].filter((path) => path !== "PROTOCOL.md").map((path) => [path, [...new Set(blocks(path).map(({ language }) => language))].sort()]);
    assert.deepEqual(Object.fromEntries(found.filter(([, languages]) => languages.length > 0)), RUN);
  });

  test("Prometheus finds the metrics where docs/metrics.md sends it", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const [{ code }] = blocks("docs/metrics.md");
    // The reader of YAML is typedoc's.
    const { parse } = createRequire(createRequire(join(root, "tools/api-page/write.js")).resolve("typedoc"))("yaml");
    const [{ authorization, static_configs: [{ targets: [target] }] }] = parse(code).scrape_configs;
    assert.equal(target, "localhost:8787");
    const token = await readFile(authorization.credentials_file.replace("/var/lib/xano", server.folder), "utf8");
    // Where no other path is given it asks for this one.
    const scrape = (headers) => fetch(`${server.origin}/metrics`, { headers });
    assert.equal((await scrape({})).status, 401);
    const answer = await scrape({ authorization: `${authorization.type} ${token.trim()}` });
    assert.match(await answer.text(), /^xano_connections 0$/m);
  });

  test("docs/installing.md has every file of the package that is for somebody", async () => {
    const table = /^## What is in the package\n(.*)/ms.exec(pages.get("docs/installing.md"))[1];
    const files = (await readdir(join(root, "dist"))).filter((name) => /\.(c?js|wasm)$|^integrity/.test(name));
    assert.deepEqual([...table.matchAll(/`([\w.-]+\.(?:c?js|wasm|json))`/g)].map(([, name]) => name).filter((name, index, all) => all.indexOf(name) === index).sort(), files.sort());
  });

  test("the package's README installs the package", async () => {
    const { name } = JSON.parse(await read("dist/package.json"));
    const commands = blocks("crates/sdk/js/README.md").filter(({ language }) => language === "sh");
    assert.deepEqual(commands.map(({ code }) => code), [`npm install ${name}\n`]);
  });
});
