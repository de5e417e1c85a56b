import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "esbuild";

import { launchBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { fault } from "./support/faults.js";
import { Server } from "./support/server.js";

// The faults of @xano/js-sdk 3.0.1 that are about the package and its surroundings, in the order of the
// list they come from.

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const run = promisify(execFile);
const NAMES = { theirs: "@xano/js-sdk", ours: "xano-realtime" };

/** A folder of its own with these files, and both packages beside them as npm would install them. */
async function project(files) {
  const folder = await mkdtemp(join(tmpdir(), "xano-faults-"));
  await mkdir(join(folder, "node_modules/@xano"), { recursive: true });
  await symlink(root("dist"), join(folder, "node_modules/xano-realtime"), "junction");
  await symlink(root("node_modules/@xano/js-sdk"), join(folder, "node_modules/@xano/js-sdk"), "junction");
  await symlink(root("node_modules/ws"), join(folder, "node_modules/ws"), "junction");
  for (const [name, text] of Object.entries({ "package.json": `{"type":"module"}`, ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

/** The same code with either package; what it says on the console, as JSON. */
async function runs(scene, code) {
  const folder = await project({ "program.js": code.replaceAll("PACKAGE", NAMES[scene.sdk]) });
  const { stdout } = await run(process.execPath, [join(folder, "program.js")]).finally(() => rm(folder, { recursive: true }));
  return JSON.parse(stdout);
}

/** The same TypeScript with either package; what the compiler says about it. */
async function complaints(scene, code) {
  const folder = await project({ "program.ts": code.replaceAll("PACKAGE", NAMES[scene.sdk]) });
  const options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", ""];
  const tsc = run(process.execPath, [root("node_modules/typescript/bin/tsc"), ...options, join(folder, "program.ts")]);
  const said = await tsc.then(() => "", ({ stdout }) => stdout).finally(() => rm(folder, { recursive: true }));
  return said.split("\n").filter((line) => /error TS/.test(line)).map((line) => line.replace(/.*error (TS\d+): /, "$1 "));
}

fault("Online again: the page tries at once", {
  home: "chromium",
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    // From here on the page's own timers never fire.
    await thor.do((me) => {
      me.rings = [];
      globalThis.setTimeout = (ring) => me.rings.push(ring);
    });
    stage.kick(1012);
    await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    await waitFor(() => thor.do((me) => me.rings.length > 0), () => "it waits");
    await thor.offline(true);
    await thor.offline(false);
    return { attempts: await thor.do((me) => me.sockets.length) };
  },
  theirs: { attempts: 1 },
  ours: { attempts: 2 },
});

fault("The stored realtime token: after a reload the connection is for who it was for", {
  home: "chromium",
  async story(scene) {
    const server = await scene.server();
    const thor = await scene.open(server, { realtimeAuthToken: await scene.token(server, 7) });
    await thor.joins("all/token", { presence: true });
    await thor.untilPresent(1);
    await thor.reload();
    await thor.joins("all/token", { presence: true });
    await thor.untilPresent(1);
    const [{ permissions }] = await thor.presence();
    return { stored: await thor.do((me) => me.client.hasRealtimeAuthToken()), row: permissions.row_id };
  },
  theirs: { stored: true, row: 0 },
  ours: { stored: true, row: 7 },
});

fault("Types: all that README tells users to use is exported, and listeners know what they get", {
  async story(scene) {
    return complaints(
      scene,
      `import { ERealtimeAction, XanoNodeClient } from "PACKAGE";
       import type { XanoRealtimeAction, XanoRealtimeChannel, XanoRealtimeClient } from "PACKAGE";
       const channel: XanoRealtimeChannel = new XanoNodeClient({}).channel("a");
       const members: XanoRealtimeClient[] = channel.getPresence();
       export const all: [XanoRealtimeAction | null, XanoRealtimeClient[]] = [null, members];
       channel.on(ERealtimeAction.PresenceUpdate, ({ payload }) => payload.presence.socketId.length);
       // @ts-expect-error: there is no such field
       channel.on("presence_update", ({ payload }) => payload.presnce);`,
    ).then((lines) => lines.map((line) => line.replace(/Module '.*' has/, "The package has")));
  },
  theirs: [
    "TS2305 The package has no exported member 'ERealtimeAction'.",
    "TS2305 The package has no exported member 'XanoRealtimeAction'.",
    "TS2305 The package has no exported member 'XanoRealtimeChannel'.",
    "TS2305 The package has no exported member 'XanoRealtimeClient'.",
    "TS7031 Binding element 'payload' implicitly has an 'any' type.",
  ],
  ours: [],
});

const WITHOUT_WEBSOCKET = `
  import { XanoNodeClient } from "PACKAGE";
  delete globalThis.WebSocket;
  const client = new XanoNodeClient({ instanceBaseUrl: "https://localhost", realtimeConnectionCanonical: "x" });
  try {
    client.channel("a").on(() => {});
  } catch ({ code, message }) {
    console.log(JSON.stringify({ code, saysWhatToDo: /set globalThis.WebSocket first.*\`ws\`/.test(message) }));
  }`;

fault("Node.js without a WebSocket: the error says what to do", {
  story: (scene) => runs(scene, WITHOUT_WEBSOCKET),
  theirs: { saysWhatToDo: false },
  ours: { code: "no_websocket", saysWhatToDo: true },
});

test("Node.js without a WebSocket: what the error says to do is enough, also after the error", async (t) => {
  const server = await Server.start();
  t.after(() => server.dispose());
  const code = `
    import { XanoClient } from "xano-realtime";
    delete globalThis.WebSocket;
    const client = new XanoClient({ instanceBaseUrl: "${server.origin}", realtimeCanonical: "${server.hash}" });
    const room = client.channel("marvel-chat-room");
    let code;
    try { room.on(() => {}); } catch (error) { ({ code } = error); }
    globalThis.WebSocket = (await import("ws")).WebSocket;
    await room.ready;
    await room.message("hello");
    console.log(JSON.stringify({ code, status: client.status }));
    client.destroy();`;
  assert.deepEqual(await runs({ sdk: "ours" }, code), { code: "no_websocket", status: "connected" });
});

fault("The caller's settings: they are not written into, so a frozen object will do", {
  story: (scene) =>
    runs(
      scene,
      `import { XanoClient } from "PACKAGE";
       const config = { instanceBaseUrl: "https://localhost", realtimeConnectionCanonical: "x" };
       new XanoClient(config);
       let frozen = "will do";
       try { new XanoClient(Object.freeze({})); } catch ({ name }) { frozen = name; }
       console.log(JSON.stringify({ keys: Object.keys(config), frozen }));`,
    ),
  theirs: { keys: ["instanceBaseUrl", "realtimeConnectionCanonical", "storage"], frozen: "TypeError" },
  ours: { keys: ["instanceBaseUrl", "realtimeConnectionCanonical"], frozen: "will do" },
});

fault("A page rendered on a server, without localStorage: a client with a token can be made there", {
  story: (scene) =>
    runs(
      scene,
      `import { XanoClient } from "PACKAGE";
       delete globalThis.localStorage;
       const config = { instanceBaseUrl: "https://localhost", realtimeConnectionCanonical: "x", realtimeAuthToken: "t", authToken: "t" };
       let made;
       try { made = new XanoClient(config).channel("a").channel; } catch ({ name, message }) { made = name + ": " + message; }
       console.log(JSON.stringify(made));`,
    ),
  theirs: "ReferenceError: localStorage is not defined",
  ours: "a",
});

fault("A page that wants realtime only: one ES module, and nothing of others", {
  async story(scene) {
    const code = `import { XanoClient } from "${NAMES[scene.sdk]}"; globalThis.room = new XanoClient({}).channel("a");`;
    const folder = await project({ "page.js": code });
    const options = { bundle: true, format: "esm", platform: "browser", metafile: true, write: false, logLevel: "error" };
    const { metafile } = await build({ ...options, absWorkingDir: folder, entryPoints: ["page.js"] });
    await rm(folder, { recursive: true });
    const { inputs } = metafile;
    const formats = new Set(Object.entries(inputs).filter(([path]) => !path.endsWith("page.js")).map(([, { format }]) => format));
    return { formats: [...formats], axios: Object.keys(inputs).some((path) => /node_modules\/axios\//.test(path)) };
  },
  theirs: { formats: ["cjs"], axios: true },
  ours: { formats: ["esm"], axios: false },
});

fault("A browser that imports the package's module: it can", {
  async story(scene) {
    const stage = await scene.stage({ tls: false });
    const browser = await launchBrowser();
    try {
      const page = await openTab(browser, `http://127.0.0.1:${stage.port}/`);
      const path = { theirs: "node_modules/@xano/js-sdk/lib/index.js", ours: "dist/index.js" }[scene.sdk];
      await page.route("**/sdk.js", async (route) => route.fulfill({ contentType: "text/javascript", body: await readFile(root(path), "utf8") }));
      return await page.evaluate(() => import("/sdk.js").then(({ XanoClient }) => typeof XanoClient, ({ name }) => name));
    } finally {
      await browser.close();
    }
  },
  theirs: "ReferenceError",
  ours: "function",
});

fault("Class fields as the standard has them: the sources survive any build", {
  async story(scene) {
    const sources = scene.sdk === "theirs" ? await theirSources() : { "src/index.js": `export * from ${JSON.stringify(root("dist/index.js"))};` };
    const folder = await project({
      ...sources,
      "program.js": `
        import { XanoClient } from "./src/index";
        globalThis.WebSocket = class { addEventListener() {} removeEventListener() {} close() {} };
        class App extends XanoClient {
          room = this.channel("a");
        }
        const config = { instanceBaseUrl: "https://localhost", realtimeConnectionCanonical: "x", storage: null };
        let opened;
        try { new App(config).room.on(() => {}); opened = "opens"; } catch ({ message }) { opened = message; }
        console.log(JSON.stringify(opened));
        process.exit();`,
    });
    try {
      await build({
        absWorkingDir: folder,
        entryPoints: ["program.js"],
        outfile: join(folder, "built.cjs"),
        bundle: true,
        format: "cjs",
        platform: "node",
        nodePaths: [root("node_modules")],
        target: "es2022",
        tsconfigRaw: { compilerOptions: { useDefineForClassFields: true } },
        logLevel: "error",
      });
      const { stdout } = await run(process.execPath, [join(folder, "built.cjs")]);
      return JSON.parse(stdout);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  theirs: "Cannot read properties of undefined (reading 'instanceBaseUrl')",
  ours: "opens",
});

/** The old SDK's TypeScript, as its package has it in a source map. */
async function theirSources() {
  const { sources, sourcesContent } = JSON.parse(await readFile(root("node_modules/@xano/js-sdk/dist/xano.min.js.map"), "utf8"));
  const files = {};
  sources.forEach((name, index) => {
    const path = /^webpack:\/\/@xano\/js-sdk\/\.\/(src\/.*\.ts)$/.exec(name)?.[1];
    if (path) files[path] = sourcesContent[index];
  });
  // Types leave nothing behind in a source map; the entry for pages sets globals.
  files["src/index.ts"] = `export * from "./client";`;
  return files;
}
