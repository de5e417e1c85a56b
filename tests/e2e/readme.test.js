import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { withBrowserAndServer } from "./support/suite.js";

const run = promisify(execFile);
const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (name) => readFile(root(name), "utf8");
const readme = await read("README.md");
const blocks = (language) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);
const INSTALL = blocks("sh").find((block) => block.startsWith("npm pack"));

describe("README.md", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const here = (code) => code.replaceAll("http://localhost:8787", server.origin).replaceAll("CONNECTION_HASH", server.hash);

  test("its script tag talks to the server", async () => {
    const [html] = blocks("html");
    const page = await openTab(browser, `${server.origin}/healthz`);
    await page.setContent(`<!doctype html><title>A page</title>${here(html)}`);
    await waitFor(() => page.lines.some((line) => line === "message Hello World!"), () => `the console says so: ${page.lines}`);
    for (const action of ["connection_status", "join", "history", "presence_full"]) {
      assert.ok(page.lines.some((line) => line.startsWith(action)), `${action} is missing: ${page.lines}`);
    }
    await page.context().close();
  });

  test("its module talks to the server", async () => {
    const [script] = blocks("js");
    const page = await openTab(browser, `${server.origin}/healthz`);
    const imports = JSON.stringify({ imports: { "xano-realtime": `${server.origin}/sdk/index.js` } });
    await page.setContent(
      `<!doctype html><script type="importmap">${imports}</script><script type="module">${here(script)}</script>`,
    );
    await waitFor(() => page.lines.some((line) => /^\w{3} .*{text: Hello World!}/.test(line)), () => `the console says so: ${page.lines}`);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });

  test("its commands exist", async () => {
    const { scripts } = JSON.parse(await read("package.json"));
    const lines = blocks("sh").filter((block) => block !== INSTALL).flatMap((block) => block.trim().split("\n"));
    for (const line of lines) {
      const script = /^npm (?:run )?(\w+)$/.exec(line)?.[1];
      if (script) assert.ok(scripts[script], line);
      else assert.match(line, /^\.\/target\/release\/xano-realtime serve /);
    }
    const options = lines.find((line) => line.includes("xano-realtime serve")).split(" ").filter((word) => word.startsWith("--"));
    assert.deepEqual(options, ["--demo", "--listen", "--data-dir"], "the options that the tests start every server with");
  });

  test("who comes from @xano/js-sdk installs the package and changes what it says, in Node.js too", async (t) => {
    const parent = await mkdtemp(join(tmpdir(), "xano-readme-"));
    t.after(() => rm(parent, { recursive: true, force: true }));
    const [project, app] = [join(parent, "project"), join(parent, "my-app")];
    for (const folder of [project, app]) await mkdir(folder);
    for (const name of ["dist", "node_modules"]) await symlink(root(name), join(project, name), "junction");
    await writeFile(join(app, "package.json"), `{"private":true,"type":"module"}`);
    await run("sh", ["-e", "-c", INSTALL], { cwd: project, env: { ...process.env, npm_config_offline: "true" } });

    const [diff] = blocks("diff");
    const [theirs, ours] = ["-", "+"].map((sign) => diff.split("\n").filter((line) => [sign, " "].includes(line[0])).map((line) => line.slice(1)).join("\n"));
    const use = `xano.channel("marvel-chat-room").on((action) => console.log(action.action, action.payload));`;
    // It opens no connection to anybody: where it would is all that is asked.
    const where = `globalThis.WebSocket = class { constructor(url) { console.log(url); process.exit(); } };`;
    await writeFile(join(project, "before.mjs"), `${theirs}\n${where}\n${use}`);
    const before = await run(process.execPath, ["before.mjs"], { cwd: project });
    assert.equal(before.stdout, "wss://x8ki-letl-twmt.n7.xano.io/rt/1lK90n16tnnylJpJ0Xa7Km6_KxA\n");

    const ws = import.meta.resolve("ws");
    const talk = `const { WebSocket } = await import(${JSON.stringify(ws)}); globalThis.WebSocket ??= WebSocket;
      ${use} await xano.channel("marvel-chat-room").message("Switched"); await new Promise((resolve) => setImmediate(resolve)); process.exit();`;
    await writeFile(join(app, "after.js"), `${here(ours)}\n${talk}`);
    const after = await run(process.execPath, ["after.js"], { cwd: app });
    assert.match(after.stdout, /^connection_status .*\njoin /);
    assert.match(after.stdout, /^message Switched$/m);
  });
});
