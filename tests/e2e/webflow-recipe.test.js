import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Made } from "./support/made.js";
import { HOST } from "./support/old-sdk.js";
import { Server } from "./support/server.js";

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

describe("Xano's own recipe for Webflow", () => {
  const CHATBOX = ".chatbox .message-text";

  /** Two tabs say something by the button and by Enter. */
  const chat = async (one, other) => {
    await one.page.waitForFunction("typeof marvelChannel === 'object'");
    await waitFor(() => [one, other].every(({ page }) => page.lines.some((line) => /action: join/.test(line))), () => `both have joined: ${one.page.lines}`);
    await one.page.fill("#messageInput", "by the button");
    await one.page.click("#sendButton");
    await other.shows(CHATBOX, ["by the button"]);
    await other.page.fill("#messageInput", "<b>by Enter</b>");
    await other.page.press("#messageInput", "Enter");
    for (const made of [one, other]) {
      await made.shows(CHATBOX, ["by the button", "<b>by Enter</b>"]);
      assert.equal(await made.page.inputValue("#messageInput"), "");
      assert.deepEqual(made.page.problems, []);
    }
  };

  test("runs with our script", async (t) => {
    const [browser, server] = [await launchBrowser(), await Server.start()];
    t.after(() => Promise.all([browser.close(), server.dispose()]));
    const [one, other] = [await Made.visit(browser, `${server.origin}/webflow/recipe.html`), await Made.visit(browser, `${server.origin}/webflow/recipe.html`)];
    await chat(one, other);
    const attributes = await Made.visit(browser, `${server.origin}/webflow/`);
    await attributes.shows(".message .bubble", ["by the button", "<b>by Enter</b>"]);
  });

  test("runs with the script of @xano/js-sdk against our server", async (t) => {
    const server = await Server.start({ options: ["--tls-cert", process.env.XANO_TEST_CERT, "--tls-key", process.env.XANO_TEST_KEY] }).catch((error) => error);
    assert.ok(server instanceof Server, String(server));
    // What a test puts in a page's place comes from nowhere, so from no place that may call this machine.
    const flags = [`--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}`, "--ignore-certificate-errors", "--disable-features=LocalNetworkAccessChecks"];
    const browser = await launchBrowser(...flags);
    t.after(() => Promise.all([browser.close(), server.dispose()]));
    const open = async () => {
      const made = await Made.visit(browser, "about:blank");
      await made.page.route("**/sdk/xano.min.js", (route) => route.fulfill({ path: fileURLToPath(import.meta.resolve("@xano/js-sdk/dist/xano.min.js")) }));
      // The published script knows this setting by another name than Xano's page.
      const page = (await read("www/webflow/recipe.html")).replace("CONNECTION_HASH", server.hash);
      const body = page.replace("realtimeCanonical", "realtimeConnectionCanonical");
      await made.page.route("**/webflow/recipe.html", (route) => route.fulfill({ contentType: "text/html", body }));
      await made.page.goto(`https://${HOST}/webflow/recipe.html`);
      assert.equal(await made.page.evaluate("typeof XanoRealtimeChannel"), "undefined", "it is theirs");
      return made;
    };
    await chat(await open(), await open());
  });
});
