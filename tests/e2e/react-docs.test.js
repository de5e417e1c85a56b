import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { ReactPage, installReact } from "./support/react.js";
import { Server } from "./support/server.js";
import { typeCheck } from "./support/types.js";

const read = (path) => readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

describe("docs/react.md", () => {
  let browser;
  let server;
  /** The examples by the component that they show. */
  let examples;

  before(async () => {
    browser = await launchBrowser();
    server = await Server.start();
    const blocks = [...(await read("docs/react.md")).matchAll(/^```tsx\n(.*?)^```/gms)].map(([, code]) => code);
    examples = Object.fromEntries(blocks.map((code) => [/^(?:export )?function (\w+)/m.exec(code)[1], code]));
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const here = (code) => code.replaceAll("http://localhost:8787", server.origin).replaceAll("CONNECTION_HASH", server.hash);
  const open = (t, name, more = "") => ReactPage.open(t, browser, server, "", { begin: here(examples[name]) + more, entry: "app.tsx" });
  /** One of the other examples, with a client around it. */
  const show = (t, name, props = "") => open(t, name, `
    import { createRoot } from "react-dom/client";
    import { XanoClient as Client } from "xano-realtime";
    import { XanoProvider as Provider } from "xano-realtime/react";
    const own = new Client({ ...(globalThis as any).config });
    (globalThis as any).own = own;
    createRoot(document.getElementById("root")!).render(<Provider client={own}><${name} ${props} /></Provider>);
  `);

  test("its examples type-check under --strict", async (t) => {
    const files = Object.fromEntries(Object.entries(examples).map(([name, code]) => [`${name}.tsx`, code]));
    const folder = await installReact(t, files);
    await typeCheck(folder, Object.keys(files), ["--jsx", "react-jsx"]);
    assert.ok(Object.keys(files).length > 6, Object.keys(files).join());
  });

  test("the one option of channels that hooks have not is no option in the types", async (t) => {
    const code = (directive) => `
      import { useChannel } from "xano-realtime/react";
      export const usePatience = () => useChannel("room", {
        history: true,
        ${directive}
        idleTimeout: 600_000,
      });
    `;
    const folder = await installReact(t, { "told.ts": code("// @ts-expect-error There is none."), "silent.ts": code("") });
    await typeCheck(folder, ["told.ts"]);
    await assert.rejects(() => typeCheck(folder, ["silent.ts"]), /idleTimeout/);
  });

  test("the chat chats", async (t) => {
    const [one, other] = [await open(t, "Chat"), await open(t, "Chat")];
    for (const page of [one, other]) await page.shows(/connected: somebody, somebody/);
    await one.tab.getByPlaceholder("Say something").fill("Hello World!");
    await one.tab.keyboard.press("Enter");
    for (const page of [one, other]) await page.shows(/Hello World!/);
    assert.deepEqual(one.joins.map(({ payload }) => payload), [{ history: true, presence: true, batch: true }]);
    one.noProblems();
    other.noProblems();
  });

  test("the scoreboard shows what the backend pushes", async (t) => {
    await server.admin("POST", "/channel", { pattern: "match/42", anonymous_clients: true });
    const page = await show(t, "Scoreboard");
    await waitFor(() => page.joins.length === 1, () => "it joins");
    await waitFor(async () => {
      await server.admin("POST", "/event", { channel: "match/42", data: { home: 2, away: 1 } });
      return (await page.text()) === "2:1";
    }, () => "it shows the score");
    page.noProblems();
  });

  test("an error that is thrown reaches the boundary", async (t) => {
    const page = await show(t, "Strict");
    await waitFor(() => page.tab.problems.some((text) => text.includes("Anonymous clients cannot join")), () => `it is thrown: ${page.tab.problems}`);
  });

  test("a report that is refused says why", async (t) => {
    const page = await show(t, "Report");
    await page.click("Report");
    await waitFor(() => page.tab.lines.some((line) => line.startsWith("not published: Error: ")), () => `it says so: ${page.tab.lines}`);
  });

  test("older messages are loaded page by page", async (t) => {
    const page = await show(t, "Archive");
    await page.shows(/1 newer/);
    await page.click("Older");
    await page.shows(/0 older/);
    page.noProblems();
  });

  test("logging out makes another connection", async (t) => {
    const page = await show(t, "LogOut");
    await page.tab.evaluate(() => globalThis.own.channel("marvel-chat-room").ready);
    await page.click("Log out");
    await waitFor(() => page.sockets.length === 2, () => "it connects again");
  });

  test("what is rendered on a server is taken over", async (t) => {
    const page = await show(t, "Realtime", `hash="${server.hash}" children="inside"`);
    await page.shows("inside");
    page.noProblems();
  });
});
