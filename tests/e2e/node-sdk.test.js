import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { WebSocket } from "ws";

import { XanoClient } from "../../dist/index.js";
import * as slim from "../../dist/slim.js";
import { waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const run = promisify(execFile);
const MIB = 1 << 20;

/** A folder of its own with a script in it and the package beside it, as npm would install it. */
async function install(t, name, code) {
  const folder = await mkdtemp(join(tmpdir(), "xano-package-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "node_modules"));
  await symlink(root("dist"), join(folder, "node_modules/xano-realtime"), "junction");
  await symlink(root("node_modules/ws"), join(folder, "node_modules/ws"), "junction");
  await writeFile(join(folder, "package.json"), `{"type":"module"}`);
  await writeFile(join(folder, name), code);
  return folder;
}

/** The modules among a document's examples. */
async function modules(path) {
  return [...(await readFile(root(path), "utf8")).matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
}

async function typeCheck(...files) {
  const options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", ""];
  const tsc = run(process.execPath, [root("node_modules/typescript/bin/tsc"), ...options, ...files]);
  await tsc.catch(({ stdout }) => assert.fail(stdout));
}

/** What a channel tells, shortly, in order. */
class Ear {
  heard = [];

  constructor(channel) {
    channel.on(
      ({ action, payload }) => {
        const isStatus = action === "connection_status";
        this.heard.push(isStatus ? [payload.status, payload.code, payload.retryIn] : [action, payload]);
      },
      ({ options, payload }) => this.heard.push(["error", payload.code, payload.action, options?.channel]),
    );
  }

  has(...wanted) {
    return this.heard.some((one) => wanted.every((part, index) => part === one[index]));
  }

  async until(...wanted) {
    await waitFor(() => this.has(...wanted), () => `${wanted} is heard: ${JSON.stringify(this.heard).slice(0, 2_000)}`);
  }

  forget() {
    this.heard = [];
  }
}

describe("the SDK in Node.js", () => {
  let server;
  const native = globalThis.WebSocket;

  before(async () => {
    globalThis.WebSocket = WebSocket;
    server = await Server.start();
  });
  after(async () => {
    globalThis.WebSocket = native;
    await server?.dispose();
  });

  const open = (t, name = "marvel-chat-room", hash = server.hash) => {
    const client = new XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: hash });
    const channel = client.channel(name);
    t.after(() => channel.destroy());
    return { client, channel, ear: new Ear(channel) };
  };

  test("two clients chat", async (t) => {
    const [wanda, thor] = [open(t), open(t)];
    await Promise.all([wanda, thor].map(({ ear }) => ear.until("join")));
    wanda.channel.message("Hello from Wanda");
    await thor.ear.until("message", "Hello from Wanda");
    thor.channel.message("Hello from Thor");
    await wanda.ear.until("message", "Hello from Thor");
    assert.deepEqual(wanda.ear.heard.map(([action]) => action), ["connected", "join", "message", "message"]);
  });

  test("a wrong hash is named, although `ws` tells of the whole connection in one go", async (t) => {
    const { ear } = open(t, "marvel-chat-room", "wrong");
    await ear.until("disconnected");
    assert.deepEqual(ear.heard, [
      ["connected", undefined, undefined],
      ["error", "unknown_hash", undefined, undefined],
      ["disconnected", 4404, undefined],
    ]);
  });

  test("after an end for good nothing waits in silence, and reconnecting starts anew", async (t) => {
    const { client, channel, ear } = open(t, "marvel-chat-room", "wrong");
    await ear.until("disconnected");
    channel.message("too late");
    await ear.until("error", "connection_closed", "message", "marvel-chat-room");
    ear.forget();
    channel.history();
    assert.deepEqual(ear.heard, [], "no listener is called before history() has returned");
    await ear.until("error", "connection_closed", "history", "marvel-chat-room");
    ear.forget();
    client.realtimeReconnect();
    await ear.until("disconnected", 4404);
  });

  test("a message larger than the server takes is refused, and the next one arrives", async (t) => {
    const { channel, ear } = open(t);
    // Two UTF-16 units are four bytes of UTF-8: what counts is bytes.
    channel.message("🦸".repeat(MIB / 4));
    channel.message("🦸".repeat(MIB / 4 - 100));
    channel.message("small");
    await ear.until("message", "small");
    await ear.until("error", "message_too_large", "message", "marvel-chat-room");
    assert.equal(ear.heard.filter(([action]) => action === "message").length, 2);
    assert.ok(!ear.has("disconnected"));
  });

  test("a listener that answers each refusal with the same message does not stop the world", async (t) => {
    const { channel } = open(t);
    const huge = "x".repeat(MIB);
    let refused = 0;
    channel.on("error", () => {
      refused += 1;
      // By now it has had the world to itself.
      assert.ok(refused < 100);
      channel.message(huge);
    });
    channel.message(huge);
    await waitFor(() => refused > 2, () => "refusals are heard");
  });

  test("without a WebSocket it says what to do", (t) => {
    const client = new XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: "any" });
    const channel = client.channel("any");
    delete globalThis.WebSocket;
    t.after(() => {
      globalThis.WebSocket = WebSocket;
    });
    for (const use of [() => channel.on(() => {}), () => channel.message("any"), () => channel.history()]) {
      assert.throws(use, { code: "no_websocket", message: /`ws`/ });
    }
  });

  test("without its core it says so at once, and so does the doctor", async () => {
    const client = new slim.XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: server.hash });
    for (const use of [() => client.channel("any").on(() => {}), () => client.get("/any", {}, {}, () => {})]) {
      assert.throws(use, { code: "not_initialized", message: /^Await init\(\)/ });
    }
    const [{ code, message }, ...more] = await client.doctor();
    assert.deepEqual([code, more], ["not_initialized", []]);
    assert.match(message, /^Await init\(\)/);
  });

  test("the example of the package's README talks to the server", async (t) => {
    const [first, more] = await modules("crates/sdk/js/README.md");
    const here = first.replace("http://localhost:8787", server.origin).replace("CONNECTION_HASH", server.hash);
    const before = `globalThis.WebSocket = (await import("ws")).WebSocket;`;
    // One message for the loop, which would never end.
    const ending = more.replace(/^(for await .*\)) (console.*)$/m, `channel.message("Looped.");\n$1 { $2 break; }\nchannel.destroy();`);
    assert.notEqual(ending, more);
    const folder = await install(t, "example.js", [before, here, ending].join("\n"));
    const { stdout } = await run(process.execPath, [join(folder, "example.js")]);
    assert.match(stdout, /Hello World!\n(.*\n)*Hello again!\n(.*\n)*Looped\./);
  });

  test("the examples type-check under --strict", async (t) => {
    const folder = await install(t, "package.ts", (await modules("crates/sdk/js/README.md")).join("\n"));
    await writeFile(join(folder, "project.ts"), (await modules("README.md"))[0]);
    await typeCheck(join(folder, "package.ts"), join(folder, "project.ts"));
  });

  test("the types promise what they should, and refuse what they should", async (t) => {
    const folder = await install(t, "channel.ts", await readFile(root("tests/types/channel.ts"), "utf8"));
    await typeCheck(join(folder, "channel.ts"));
  });

  test("an error that nobody catches prints a screenful, not the whole bundle", async (t) => {
    const code = `import { XanoClient } from "xano-realtime";\ndelete globalThis.WebSocket;
      new XanoClient({ instanceBaseUrl: "http://x", realtimeCanonical: "y" }).channel("a").message("b");\n`;
    const folder = await install(t, "uncaught.js", code);
    const { stderr } = await run(process.execPath, [join(folder, "uncaught.js")]).then(assert.fail, (error) => error);
    assert.match(stderr, /no_websocket/);
    assert.ok(stderr.length < 4_000, `${stderr.length} characters`);
  });

  test("the npm package holds what it needs, and nothing else", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json"], { cwd: root("dist"), shell: true });
    const [{ files }] = JSON.parse(stdout);
    assert.deepEqual(files.map(({ path }) => path).sort(), [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "attributes.d.cts",
      "attributes.d.ts",
      "core.wasm",
      "edge.js",
      "index.cjs",
      "index.d.cts",
      "index.d.ts",
      "index.js",
      "integrity.json",
      "package.json",
      "react.cjs",
      "react.d.cts",
      "react.d.ts",
      "react.js",
      "slim.cjs",
      "slim.d.cts",
      "slim.d.ts",
      "slim.js",
      "worker.js",
      "xano-attributes.min.js",
      "xano.min.js",
    ]);
  });
});
