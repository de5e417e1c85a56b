import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { launchBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

const read = (name) => readFile(new URL(`../../${name}`, import.meta.url), "utf8");
const readme = await read("README.md");
const blocks = (language) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);

describe("README.md", () => {
  let browser;
  let server;

  before(async () => {
    browser = await launchBrowser();
    server = await Server.start();
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

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
    const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
    for (const line of lines) {
      const script = /^npm (?:run )?(\w+)$/.exec(line)?.[1];
      if (script) assert.ok(scripts[script], line);
      else assert.match(line, /^\.\/target\/release\/xano-realtime serve /);
    }
    const options = lines.find((line) => line.includes("xano-realtime serve")).split(" ").filter((word) => word.startsWith("--"));
    assert.deepEqual(options, ["--demo", "--listen", "--data-dir"], "the options that the tests start every server with");
  });
});
