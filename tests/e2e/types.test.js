import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as exported from "../../dist/index.js";
import { installReact } from "./support/react.js";
import { typeCheck } from "./support/types.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path) => readFile(root(path), "utf8");
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name);

describe("the types", () => {
  test("promise what they should, and refuse what they should, under --strict", async (t) => {
    const names = (await readdir(root("tests/types"))).filter((name) => name !== "drop-in.ts");
    const files = {};
    for (const name of names) files[name] = await read(`tests/types/${name}`);
    files["drop-in.ts"] = (await read("tests/types/drop-in.ts")).replaceAll('"@xano/js-sdk"', '"xano-realtime"');
    const folder = await installReact(t, files);
    await typeCheck(folder, Object.keys(files), ["--jsx", "react-jsx", "--exactOptionalPropertyTypes", "--noUncheckedSideEffectImports"]);
  });

  test("each that is exported is used by a test, by its name", async () => {
    for (const [declared, tested] of [["index.d.ts", "surface.ts"], ["react.d.ts", "react.tsx"]]) {
      const names = all(await read(`crates/sdk/js/${declared}`), /^export (?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/gm);
      const text = await read(`tests/types/${tested}`);
      assert.ok(names.length > 5, declared);
      assert.deepEqual([...new Set(names)].filter((name) => !new RegExp(`\\b${name}\\b`).test(text)), [], declared);
    }
  });

  test("declare what the module exports, and nothing else", async () => {
    const text = await read("crates/sdk/js/index.d.ts");
    const names = all(text, /^export declare (?:abstract )?(?:class|const|function) (\w+)/gm);
    assert.deepEqual(names.sort(), Object.keys(exported).sort());
    const hooks = all(await read("crates/sdk/js/react.d.ts"), /^export declare function (\w+)/gm);
    assert.deepEqual(hooks.sort(), all(await read("dist/react.js"), /^export function (\w+)/gm).sort());
  });

  test("declare the methods that classes have, and nothing else", async () => {
    const text = await read("crates/sdk/js/index.d.ts");
    for (const name of all(text, /^(?:export )?declare (?:abstract )?class (\w+)/gm)) {
      const body = new RegExp(`class ${name}\\b.*?\\{\\n(.*?)^\\}`, "ms").exec(text)[1].replace(/\/\*\*.*?\*\//gs, "");
      const declared = new Set([...all(body, /^ {2}(?:abstract )?(\w+)[(<]/gm), ...all(body, /^ {2}readonly (\w+)/gm)]);
      declared.delete("constructor");
      // The base of clients is no export; its methods are those of the class that a client extends.
      const real = name === "XanoBaseClient" ? Object.getPrototypeOf(exported.XanoClient) : exported[name];
      const has = Object.getOwnPropertyNames(real.prototype).filter((method) => method !== "constructor");
      const inherited = Object.getPrototypeOf(real.prototype);
      // A storage of an application's own has the methods of the base; a channel has its name without one.
      const made = (method) => name === "XanoBaseStorage" || method === "channel" || method === "options";
      const missing = [...declared].filter((method) => !has.includes(method) && !(method in inherited) && !made(method));
      assert.deepEqual(missing, [], `${name} has no such methods`);
      assert.deepEqual(has.filter((method) => !declared.has(method) && !(method in inherited)), [], `${name} has more methods`);
    }
  });

  test("know every code of an error that there is", async () => {
    const text = await read("crates/sdk/js/index.d.ts");
    const codes = (name) => all(new RegExp(`export type ${name} =\n(.*?);`, "s").exec(text)[1], /"(\w+)"/g).sort();
    const snake = (name) => name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
    const rust = await read("crates/protocol/src/error_code.rs");
    const server = all(/pub enum ErrorCode \{(.*?)^\}/ms.exec(rust)[1], /^ {4}(\w+),/gm).map(snake);
    const made = all(rust, /Made by the SDK itself[^\n]*\n {4}(\w+),/g).map(snake);
    assert.deepEqual(codes("XanoServerErrorCode"), server.filter((code) => !made.includes(code)).sort());
    const refusal = await read("crates/sdk/src/request.rs");
    const refused = all(refusal, /Self::\w+(?:\(_\))? => "(\w+)"/g);
    assert.ok(made.every((code) => refused.includes(code)), made.join());
    assert.deepEqual(codes("XanoRefusalCode"), [...refused, "buffer_full"].sort());
    const settings = all(await read("crates/sdk/js/address.js"), /coded\(\w+, "(\w+)"\)/g);
    const loader = all(await read("crates/sdk/js/fault.js"), /"(csp_\w+|no_\w+)"/g);
    assert.deepEqual(codes("XanoSetupErrorCode"), [...settings, ...loader, "no_websocket"].sort());
    const found = all(await read("crates/sdk/js/doctor.js"), /found\("(\w+)"/g);
    const slim = all(await read("crates/sdk/js/loader-slim.js"), /"(not_\w+)"/g);
    assert.deepEqual(codes("XanoFindingCode"), [...new Set([...found, ...settings, ...loader, ...slim, "no_websocket"])].sort());
    const asked = (await read("crates/sdk/js/rest.js")) + (await read("crates/sdk/js/query.js"));
    assert.deepEqual(codes("XanoRequestErrorCode"), [...new Set(all(asked, /coded\([^)]*?"([A-Za-z_]+)"(?:, cause)?\)/g))].sort());
  });

  test("say any only for what an application alone knows", async () => {
    const code = async (path) => (await read(path)).replace(/\/\*\*.*?\*\/|^ *\/\/[^\n]*/gms, "");
    const text = await code("crates/sdk/js/index.d.ts");
    const loose = text.split("\n").filter((line) => /\bany\b/.test(line.replace(/= any\b|Record<(string|any), any>/g, "")));
    assert.deepEqual(loose.map((line) => line.trim()), ["formData: any;", "dataAsJSON(): any;"]);
    assert.equal(/\bany\b/.test(await code("crates/sdk/js/react.d.ts")), false);
  });
});
