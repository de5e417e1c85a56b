import assert from "node:assert/strict";
import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { WebSocket } from "ws";

import { XanoClient } from "../../../dist/index.js";
import { openTab } from "./browser.js";
import { waitFor } from "./chat.js";

const root = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** For applications with the oldest React that the hooks are for. */
export const REACT_18 = { react: root("tools/react-18/node_modules/react"), "react-dom": root("tools/react-18/node_modules/react-dom") };

/** What the applications below begin with. */
const BEGIN = `
  import { Activity, Component, StrictMode, Suspense, startTransition, use, useEffect, useState } from "react";
  import { createRoot, hydrateRoot } from "react-dom/client";
  import { XanoClient } from "xano-realtime";
  import { XanoProvider, useChannel, useConnectionStatus, usePresence, useXanoClient } from "xano-realtime/react";
  const client = new XanoClient(globalThis.config);
  const page = createRoot(document.getElementById("root"));
  globalThis.seen = [];
`;

export const ROOM = "marvel-chat-room";

/** A component that shows a channel, with buttons. */
export const ROOM_JSX = `
  function Room({ name = "${ROOM}", ...options }) {
    const { messages, ready, error, send } = useChannel(name, options);
    return (
      <>
        <p>{ready ? "ready" : "waiting"}: {messages.map(({ payload }) => payload).join(" ")} {error?.code}</p>
        <button onClick={() => send("hello")}>send</button>
      </>
    );
  }
`;

/** A folder of an application that has installed the package, React, and nothing else. */
export async function installReact(t, files = {}) {
  const folder = await mkdtemp(join(tmpdir(), "xano-react-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "node_modules/@types"), { recursive: true });
  await symlink(root("dist"), join(folder, "node_modules/xano-realtime"), "junction");
  for (const name of ["react", "react-dom", "@types/react", "@types/react-dom"]) {
    await symlink(root(`node_modules/${name}`), join(folder, "node_modules", name), "junction");
  }
  await writeFile(join(folder, "package.json"), `{"type":"module"}`);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** One script of a file, as a bundler makes it for development. */
export async function bundle(folder, entry, options = {}) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: [entry],
    bundle: true,
    define: { "process.env.NODE_ENV": '"development"' },
    format: "iife",
    jsx: "automatic",
    logLevel: "error",
    metafile: true,
    target: "es2022",
    write: false,
    ...options,
  });
  return { script: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}

/** A tab with an application of its own, and all it sends. */
export class ReactPage {
  /** By socket, the frames that were sent, and whether it is closed. */
  sockets = [];

  static async open(t, browser, server, code, { config = {}, begin = BEGIN, html = "", entry = "app.jsx", alias = {} } = {}) {
    const folder = await installReact(t, { [entry]: begin + code });
    const { script } = await bundle(folder, entry, { alias });
    const page = new ReactPage();
    page.tab = await openTab(browser, `${server.origin}/healthz`);
    t.after(() => page.tab.context().close());
    page.tab.on("websocket", (socket) => {
      const seen = { url: socket.url(), frames: [], closed: false };
      page.sockets.push(seen);
      socket.on("framesent", ({ payload }) => seen.frames.push(JSON.parse(payload)));
      socket.on("close", () => (seen.closed = true));
    });
    // So that a second need not be waited for.
    await page.tab.clock.install();
    await page.tab.setContent(`<!doctype html><div id="root">${html}</div>`);
    await page.tab.evaluate((config) => (globalThis.config = config), {
      instanceBaseUrl: server.origin,
      realtimeConnectionCanonical: server.hash,
      ...config,
    });
    await page.tab.addScriptTag({ content: script });
    return page;
  }

  /** What was sent so far, by all sockets: action and channel. */
  get sent() {
    return this.sockets.flatMap(({ frames }) => frames).map(({ action, options }) => `${action} ${options?.channel}`);
  }

  get joins() {
    return this.sockets.flatMap(({ frames }) => frames).filter(({ action }) => action === "join");
  }

  text() {
    return this.tab.locator("#root").innerText();
  }

  async shows(words) {
    const isShown = async () => (words instanceof RegExp ? words.test(await this.text()) : (await this.text()) === words);
    await waitFor(isShown, async () => `the page shows ${words}; it shows ${JSON.stringify(await this.text())}, and says ${this.tab.lines}`);
  }

  async click(name) {
    await this.tab.getByRole("button", { name, exact: true }).click();
  }

  /** Lets time pass, with all that was to happen in it. */
  async pass(milliseconds) {
    await this.tab.clock.fastForward(milliseconds);
  }

  noProblems() {
    assert.deepEqual(this.tab.problems, []);
    // Beside what React advises in development, and the icon that the page has not.
    assert.deepEqual(this.tab.lines.filter((line) => !/React DevTools|status of 404/.test(line)), []);
  }
}

/** A member without React, and what it hears. */
export async function joinFromNode(t, server, name = ROOM, options = {}) {
  // Node.js 20 has none.
  globalThis.WebSocket ??= WebSocket;
  const client = new XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: server.hash });
  t.after(() => client.destroy());
  const heard = [];
  const channel = client.channel(name, options).on("message", ({ payload }) => heard.push(payload), () => {});
  await channel.ready;
  return { channel, heard };
}
