import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { launchBrowser, openTab } from "./support/browser.js";
import { Server } from "./support/server.js";

const run = promisify(execFile);
const SDK = fileURLToPath(new URL("../../dist/xano.min.js", import.meta.url));

describe("the doctor", () => {
  let browser;
  let server;
  let page;

  before(async () => {
    browser = await launchBrowser();
    server = await Server.start();
    page = await openTab(browser, `${server.origin}/healthz`);
    await page.addScriptTag({ path: SDK });
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const ask = (config, where = page) =>
    where.evaluate((config) => new XanoClient(config).doctor(), { instanceBaseUrl: server.origin, realtimeCanonical: server.hash, ...config });

  /** Exactly one finding, in these words. */
  const finds = async (code, words, config, where) => {
    const findings = await ask(config, where);
    assert.equal(findings.length, 1, JSON.stringify(findings));
    assert.equal(findings[0].code, code, findings[0].message);
    assert.match(findings[0].message, words);
  };

  const token = async (...args) => {
    const all = ["token", "--data-dir", server.folder, "--table-id", "1", "--row-id", "7", ...args];
    return (await run(process.env.XANO_SERVER_BIN, all)).stdout.trim();
  };

  test("finds nothing where all is well", async () => {
    assert.deepEqual(await ask({}), []);
    assert.deepEqual(await ask({ realtimeAuthToken: await token("--expires", "1h") }), []);
  });

  test("names settings that are missing, and a wrong hash", async () => {
    await finds("no_base_url", /instanceBaseUrl/, { instanceBaseUrl: "" });
    await finds("no_canonical", /realtimeConnectionCanonical/, { realtimeCanonical: "" });
    await finds("unknown_hash", /does not know this connection hash/, { realtimeCanonical: "wrong" });
  });

  test("names a token that the server does not accept, and a clock that is wrong", async () => {
    const good = await token("--expires", "1h");
    await finds("token_refused", /made for this server/, { realtimeAuthToken: `${good.slice(0, -4)}AAAA` });
    const claims = Buffer.from(JSON.stringify({ dbo_id: 1, row_id: 7, exp: 1_000_000_000 })).toString("base64url");
    const [head, , signature] = good.split(".");
    await finds("token_expired", /has expired, on .* 2001/, { realtimeAuthToken: [head, claims, signature].join(".") });
    const findings = await page.evaluate(
      (config) => new XanoClient({ ...config, realtimeAuthToken: () => Promise.reject(new Error("no session")) }).doctor(),
      { instanceBaseUrl: server.origin, realtimeCanonical: server.hash },
    );
    assert.deepEqual(findings, [{ code: "token_function_failed", message: "realtimeAuthToken() failed: no session" }]);
  });

  test("tells a server that is not there from one that is another", async (t) => {
    const other = createServer((request, response) => response.end("hello"));
    other.on("upgrade", (request, socket) => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    t.after(() => other.close());
    const origin = `http://127.0.0.1:${other.address().port}`;
    await finds("no_realtime", /not as a realtime server/, { instanceBaseUrl: origin });
    await finds("no_realtime", new RegExp(`answers at ${origin},`), { instanceBaseUrl: " ", apiGroupBaseUrl: ` ${origin} ` });
    other.closeAllConnections();
    other.close();
    await once(other, "close");
    await finds("unreachable", /Nothing answers at/, { instanceBaseUrl: origin });
  });

  test("names the directive of a policy that blocks the connection, or WebAssembly", async (t) => {
    const strict = createServer(({ url }, response) => {
      const sources = url === "/blocked" ? "connect-src 'self'; script-src 'unsafe-inline' 'wasm-unsafe-eval'" : "script-src 'unsafe-inline'";
      response.setHeader("content-security-policy", sources);
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html>");
    });
    strict.listen(0, "127.0.0.1");
    await once(strict, "listening");
    t.after(() => {
      strict.closeAllConnections();
      strict.close();
    });
    for (const [path, code, words] of [
      ["blocked", "csp_blocks_connection", /add ws:\/\/127.* to its connect-src/],
      ["plain", "csp_blocks_wasm", /add 'wasm-unsafe-eval' to its script-src/],
    ]) {
      const tab = await openTab(browser, `http://127.0.0.1:${strict.address().port}/${path}`);
      await tab.addScriptTag({ path: SDK });
      await finds(code, words, {}, tab);
      const asked = await tab.evaluate((instanceBaseUrl) => {
        const client = new XanoClient({ instanceBaseUrl });
        try {
          client.get("/healthz", {}, {}, () => {}).catch(() => {});
        } catch ({ code }) {
          return code;
        }
      }, server.origin);
      assert.equal(asked, code === "csp_blocks_wasm" ? code : undefined, "an answer that is to be streamed");
      await tab.context().close();
    }
  });
});
