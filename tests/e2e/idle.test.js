import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { withBrowserAndServer } from "./support/suite.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe("a page that nobody uses", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const open = async (t) => {
    const page = await openTab(browser, `${server.origin}/healthz`);
    t.after(() => page.context().close());
    await page.addScriptTag({ path: root("dist/xano.min.js") });
    await page.evaluate(({ origin, hash }) => {
      globalThis.xano = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash });
    }, { origin: server.origin, hash: server.hash });
    return page;
  };

  test("the guide's example leaves after ten minutes, and the next click brings all that was missed", async (t) => {
    const guide = await readFile(root("docs/switching.md"), "utf8");
    const [example] = guide.match(/^const room = .*idleTimeout[^]*?(?=^```)/m);
    const page = await open(t);
    const witness = await open(t);
    await witness.evaluate(() => {
      globalThis.room = xano.channel("marvel-chat-room", { presence: true });
      return room.ready;
    });
    const here = () => witness.evaluate(() => room.getPresence().length);
    await page.clock.install();
    await page.addScriptTag({ content: example });
    await page.evaluate(() => {
      globalThis.statuses = [];
      room.on("connection_status", ({ payload }) => statuses.push(payload.reason ?? payload.status));
      return room.ready;
    });
    await waitFor(async () => (await here()) === 2, () => "both are here");

    // The server's pings are answered all the while; what is heard is no use.
    await page.clock.fastForward("09:00");
    await witness.evaluate(() => room.message("while it still hears"));
    await waitFor(() => page.lines.includes("while it still hears"), () => "it hears");
    await page.clock.fastForward("01:01");
    await waitFor(async () => (await here()) === 1, () => "it has left");
    assert.equal(await page.evaluate(() => xano.status), "idle");
    assert.deepEqual((await page.evaluate(() => statuses)).at(-1), "idle");

    await witness.evaluate(() => Promise.all(["one", "two"].map((text) => room.message(text))));
    await page.mouse.click(1, 1);
    await waitFor(() => page.lines.includes("two"), () => "what was missed comes");
    assert.deepEqual(page.lines.slice(-2), ["one", "two"]);
    assert.equal(await page.evaluate(() => room.continuity), "continuous");
    await waitFor(async () => (await here()) === 2, () => "both are here again");
    assert.deepEqual(page.problems, []);
  });

  test("what is said in a channel that was left is sent", async (t) => {
    const page = await open(t);
    await page.clock.install();
    await page.evaluate(() => {
      globalThis.room = xano.channel("marvel-chat-room", { idleTimeout: 60_000 });
      return room.ready;
    });
    await page.clock.fastForward("01:00");
    assert.equal(await page.evaluate(() => xano.status), "idle");
    assert.equal(typeof (await page.evaluate(() => room.message("hello"))).seq, "number");
  });
});
