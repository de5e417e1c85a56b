import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { Server } from "../e2e/support/server.js";
import { match } from "./pattern.js";

const page = await readFile(new URL("../../docs/metadata-api.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language, code]) => ({ language, code }));

const SEPARATOR = "\u001e";

describe("docs/metadata-api.md", () => {
  let server;
  let folder;

  before(async () => {
    server = await Server.start();
    folder = await mkdtemp(join(tmpdir(), "xano-page-"));
    await symlink(server.folder, join(folder, "data"));
  });
  after(async () => {
    await server?.dispose();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test("its commands are answered as it says", async () => {
    // One shell for all, since each block goes on from those before.
    const run = ({ language, code }) => (language === "js" ? `API=$API TOKEN=$TOKEN node --input-type=module - <<'END'\n${code}END\n` : code);
    const commands = blocks.filter(({ language }) => language !== "json");
    const script = ["set -eu", ...commands.map(run)].join(`\nprintf '${SEPARATOR}'\n`).replaceAll("http://localhost:8787", server.origin);
    const path = [dirname(process.env.XANO_SERVER_BIN), process.env.PATH].join(delimiter);
    const { stdout, stderr } = await promisify(execFile)("sh", ["-c", script], { cwd: folder, env: { ...process.env, PATH: path } });
    assert.equal(stderr, "");
    const outputs = stdout.split(SEPARATOR).slice(1);
    assert.equal(outputs.length, commands.length);

    const values = new Map();
    let checked = 0;
    for (const [index, { language, code }] of blocks.entries()) {
      if (language === "json") continue;
      const output = outputs.shift();
      const expected = blocks[index + 1];
      if (expected?.language === "json") {
        match(JSON.parse(output), JSON.parse(expected.code), values, code);
        checked += 1;
      } else {
        assert.equal(output, "", `the page does not say that this prints something: ${code}`);
      }
    }
    assert.equal(checked, blocks.filter(({ language }) => language === "json").length, "each answer belongs to a command");
  });

  test("its errors are those of the document", async () => {
    const document = await (await fetch(`${server.origin}/api:meta/openapi.json`)).json();
    const told = [...page.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => ({ status, code }));
    assert.deepEqual(told.map(({ code }) => code), document.components.schemas.Error.properties.code.enum);
    const examples = Object.values(document.components.responses).map(({ content }) => content["application/json"].example.code);
    assert.deepEqual(told.map(({ code }) => code).filter((code) => !examples.includes(code)), ["ERROR_CODE_SYNTAX_ERROR"]);
  });
});
