import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { ReactPage, bundle, installReact } from "./support/react.js";
import { withBrowserAndServer } from "./support/suite.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const run = promisify(execFile);

/** An application that is rendered on a server, then in a browser. */
const APP = `
  import { StrictMode } from "react";
  import { XanoProvider, useChannel, useConnectionStatus, usePresence, useXanoClient } from "xano-realtime/react";

  function Room() {
    const { channel, messages, events, error, ready, continuity, socketId } = useChannel("marvel-chat-room", { history: true });
    const members = usePresence("marvel-chat-room");
    const status = useConnectionStatus();
    const client = useXanoClient() ? "client" : "none";
    return (
      <p>{[channel === null ? "no channel" : "channel", messages.length, events.length, members.length, String(error), String(ready), continuity, String(socketId !== null), status, client].join(" ")}</p>
    );
  }

  export function App({ client }) {
    return <StrictMode><XanoProvider client={client}><Room /></XanoProvider></StrictMode>;
  }
`;
const EMPTY = "<p>no channel 0 0 0 null false unknown false idle";

describe("xano-realtime/react on a server", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const render = async (t, entry) => {
    const folder = await installReact(t, { "app.jsx": APP, "entry.jsx": entry });
    const { script } = await bundle(folder, "entry.jsx", { format: "esm", packages: "external", platform: "node" });
    await writeFile(join(folder, "server.js"), script);
    const { stdout } = await run(process.execPath, ["server.js"], { cwd: folder });
    return JSON.parse(stdout);
  };

  test("rendering is empty and stable, opens nothing, and starts no WebAssembly", async (t) => {
    const seen = await render(t, `
      import { renderToString } from "react-dom/server";
      import { XanoClient } from "xano-realtime";
      import { App } from "./app.jsx";
      const seen = { made: 0, sockets: 0, modules: 0 };
      globalThis.WebSocket = class { constructor() { seen.sockets += 1; } };
      for (const name of ["Module", "Instance"]) {
        WebAssembly[name] = class extends WebAssembly[name] { constructor(...all) { super(...all); seen.modules += 1; } };
      }
      const make = () => { seen.made += 1; return new XanoClient({ instanceBaseUrl: "http://localhost:1", realtimeCanonical: "x" }); };
      const lazy = renderToString(<App client={make} />);
      const again = renderToString(<App client={make} />);
      const before = { ...seen };
      const eager = renderToString(<App client={make()} />);
      const none = renderToString(<App client={null} />);
      queueMicrotask(() => console.log(JSON.stringify({ lazy, again, before, eager, none, after: seen })));
    `);
    assert.equal(seen.lazy, `${EMPTY} none</p>`);
    assert.equal(seen.again, seen.lazy);
    assert.equal(seen.eager, `${EMPTY} client</p>`);
    assert.equal(seen.none, seen.lazy);
    assert.deepEqual(seen.before, { made: 0, sockets: 0, modules: 0 });
    assert.deepEqual(seen.after, { made: 1, sockets: 0, modules: 0 }, "a client that is made beforehand has no socket and no module either");
  });

  test("the page takes over what the server rendered, without a word, and joins once", async (t) => {
    const [html] = await render(t, `
      import { renderToString } from "react-dom/server";
      import { App } from "./app.jsx";
      console.log(JSON.stringify([renderToString(<App client={() => null} />)]));
    `);
    const begin = APP.replace("export function App", "function App") + `
      import { hydrateRoot } from "react-dom/client";
      import { XanoClient } from "xano-realtime";
      hydrateRoot(document.getElementById("root"), <App client={() => new XanoClient(globalThis.config)} />, {
        onRecoverableError: (error) => console.log(String(error)),
      });
    `;
    const page = await ReactPage.open(t, browser, server, "", { begin, html });
    await page.shows(/^channel 0 0 1 null true continuous true connected client$/);
    await page.pass(5_000);
    assert.deepEqual(page.joins.map(({ payload }) => payload), [{ history: true, presence: true, batch: true }]);
    page.noProblems();
  });

  test("the module says that it is for the browser's side, and brings no copy of the SDK", async (t) => {
    assert.match(await readFile(root("dist/react.js"), "utf8"), /^"use client";\n/);
    const folder = await installReact(t, { "entry.js": `export * from "xano-realtime/react";` });
    const { inputs } = await bundle(folder, "entry.js", { format: "esm" });
    const ours = inputs.filter((path) => path.includes("/dist/"));
    assert.deepEqual(ours.map((path) => path.replace(/.*\/dist\//, "")), ["react.js"]);
  });

  test("an application with both has one copy of each", async (t) => {
    const folder = await installReact(t, {
      "entry.jsx": `
        import { createRoot } from "react-dom/client";
        import { XanoClient } from "xano-realtime";
        import { XanoProvider } from "xano-realtime/react";
        createRoot(document.body).render(<XanoProvider client={new XanoClient({})} />);`,
    });
    const { inputs } = await bundle(folder, "entry.jsx");
    const of = (pattern) => inputs.filter((path) => pattern.test(path)).length;
    assert.deepEqual([of(/dist\/index\.js$/), of(/dist\/react\.js$/), of(/react\/cjs\/react\.development\.js$/)], [1, 1, 1]);
  });

  test("nobody has to install React, and who does may have 18 or newer", async () => {
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(await readFile(root("dist/package.json"), "utf8"));
    assert.deepEqual(peerDependencies, { react: ">=18" });
    assert.equal(peerDependenciesMeta.react.optional, true);
  });
});
