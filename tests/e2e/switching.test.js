import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { XanoClient, XanoNodeClient, XanoObjectStorage } from "../../dist/index.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Recorder } from "./support/recorder.js";
import { Server } from "./support/server.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const run = promisify(execFile);
const SCRIPTS = { ours: root("dist/xano.min.js"), theirs: root("node_modules/@xano/js-sdk/dist/xano.min.js") };

/** What each kind of storage does with its keys, beside what is there already. Runs in a page. */
function useStorage(name) {
  const storage = new globalThis[name]();
  const seen = [];
  const look = () => seen.push(storage.getItem("AuthToken"), { ...storage.getAll() });
  storage.setItem("AuthToken", "a.b-c_d");
  storage.setItem("other", "x");
  look();
  seen.push(document.cookie, { ...localStorage }, { ...sessionStorage });
  storage.removeItem("AuthToken");
  storage.removeItem("AuthToken");
  seen.push(document.cookie, storage.getAll().AuthToken ?? null);
  storage.setItem("AuthToken", "again");
  look();
  storage.clear();
  seen.push(document.cookie, { ...localStorage }, { ...sessionStorage });
  return seen;
}

describe("switching to our SDK", () => {
  let recorder;
  let browser;

  before(async () => {
    recorder = await Recorder.start();
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await recorder?.stop();
  });

  const openPage = async (t, script = SCRIPTS.ours) => {
    const page = await openTab(browser, `${recorder.origin}/page`);
    t.after(() => page.context().close());
    recorder.take();
    recorder.sockets.splice(0);
    await page.addScriptTag({ path: script });
    return page;
  };
  const blocks = async (language) => {
    const text = await readFile(root("docs/switching.md"), "utf8");
    return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);
  };

  test("each storage keeps what the old one keeps, where it keeps it", async (t) => {
    const [ours, theirs] = [await openPage(t), await openPage(t, SCRIPTS.theirs)];
    for (const name of ["XanoCookieStorage", "XanoLocalStorage", "XanoObjectStorage", "XanoSessionStorage"]) {
      assert.deepEqual(await ours.evaluate(useStorage, name), await theirs.evaluate(useStorage, name), name);
    }
  });

  test("who is logged in with the old SDK is logged in with ours", async (t) => {
    const page = await openPage(t, SCRIPTS.theirs);
    const kinds = ["XanoCookieStorage", "XanoLocalStorage", "XanoSessionStorage"];
    await page.evaluate((kinds) => kinds.forEach((kind) => new XanoClient({ storage: new globalThis[kind](), authToken: kind })), kinds);
    await page.reload();
    await page.addScriptTag({ path: SCRIPTS.ours });
    await page.evaluate(async (kinds) => {
      for (const kind of kinds) await new XanoClient({ apiGroupBaseUrl: location.origin, storage: new globalThis[kind]() }).get("/users");
    }, kinds);
    assert.deepEqual(recorder.take().map(({ headers }) => headers.authorization), kinds.map((kind) => `Bearer ${kind}`));
  });

  test("a cookie holds any value, and one that is missing is null", async (t) => {
    const page = await openPage(t);
    const value = "a=b; c%20d\tü==";
    const seen = await page.evaluate((value) => {
      document.cookie = "foreign=%zz";
      const storage = new XanoCookieStorage("/", 1);
      storage.setItem("key", value);
      return [storage.getItem("key"), storage.getAll(), storage.getItem("ke"), storage.getItem("toString")];
    }, value);
    assert.deepEqual(seen, [value, { foreign: "%zz", key: value }, null, null]);
  });

  test("after a reload the socket is for who was stored", async (t) => {
    const page = await openPage(t);
    const open = async (settings, use) => {
      await page.evaluate(`globalThis.client = new XanoClient({ instanceBaseUrl: location.origin, realtimeCanonical: "x", ...${JSON.stringify(settings)} });
        ${use}; client.channel("a").on(() => {});`);
      await waitFor(() => recorder.sockets.length > 0, () => "a socket opens");
      return recorder.sockets.splice(0);
    };
    const reload = async () => {
      await page.reload();
      await page.addScriptTag({ path: SCRIPTS.ours });
    };
    assert.deepEqual(await open({}, `client.setRealtimeAuthToken("stored")`), ["stored"]);
    await reload();
    assert.deepEqual(await open({}, ""), ["stored"]);
    assert.equal(await page.evaluate(`client.hasRealtimeAuthToken()`), true);
    await page.evaluate(`client.setRealtimeAuthToken("new").realtimeReconnect()`);
    await waitFor(() => recorder.sockets.length > 0, () => "it reconnects");
    assert.deepEqual(recorder.sockets.splice(0), ["new"]);
    await reload();
    assert.deepEqual(await open({ realtimeAuthToken: null }, ""), [null]);
    await reload();
    assert.deepEqual(await open({ realtimeAuthToken: "mine" }, `new XanoClient({ realtimeAuthToken: "of another client" })`), ["mine"]);
  });

  test("a page that may not use its storage has one in memory", async (t) => {
    const page = await openPage(t);
    const script = await readFile(SCRIPTS.ours, "utf8");
    await page.evaluate(([script, origin]) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.srcdoc = `<script>${script.replaceAll("</script", "<\\/script")}<\/script><script>
        const xano = new XanoClient({ apiGroupBaseUrl: "${origin}", authToken: "t" });
        xano.get("/users").then(() => parent.postMessage([xano.hasAuthToken(), new XanoLocalStorage().getAll()], "*"));
      <\/script>`;
      globalThis.told = new Promise((resolve) => addEventListener("message", ({ data }) => resolve(data), { once: true }));
      document.body.append(frame);
    }, [script, recorder.origin]);
    assert.deepEqual(await page.evaluate(`told`), [true, {}]);
    assert.equal(recorder.take()[0].headers.authorization, "Bearer t");
  });

  test("on a server there is no storage, and nothing happens at import", async () => {
    const code = `
      const before = Reflect.ownKeys(globalThis).length;
      const { XanoClient, XanoCookieStorage, XanoLocalStorage } = await import(${JSON.stringify(root("dist/index.js"))});
      const added = Reflect.ownKeys(globalThis).length - before;
      const xano = new XanoClient({ apiGroupBaseUrl: "${recorder.origin}", authToken: "t" });
      await xano.get("/users");
      const quiet = new XanoClient({ storage: new XanoCookieStorage() }).hasAuthToken();
      globalThis.localStorage = {};
      const odd = new XanoClient({}).setAuthToken("u").hasAuthToken();
      delete globalThis.localStorage;
      console.log(JSON.stringify([added, quiet, odd]));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code]);
    assert.deepEqual(JSON.parse(stdout), [0, false, true]);
    assert.equal(recorder.take()[0].headers.authorization, "Bearer t");
  });

  test("require takes the package too, and a subclass keeps what it adds", async () => {
    const code = `
      const { XanoClient } = require(${JSON.stringify(root("dist/index.js"))});
      class Own extends XanoClient {
        #calls = [];
        appendFormData() { throw new Error("nobody calls this"); }
        setAuthToken(token) { this.#calls.push(token); return super.setAuthToken(token); }
        get calls() { return this.#calls.length; }
      }
      console.log(new Own({ authToken: "t" }).setAuthToken("u").calls);`;
    const { stdout } = await run(process.execPath, ["--input-type=commonjs", "--eval", code]);
    assert.equal(stdout.trim(), "1");
  });

  test("there is no default import, and all names come by a star", async () => {
    const [theirs, ours] = [await import("@xano/js-sdk"), await import("../../dist/index.js")];
    assert.ok(theirs.default.XanoClient);
    assert.equal("default" in ours, false);
    assert.ok(ours.XanoClient);
  });

  test("two clients with a storage each do not meet", async () => {
    const make = (token) => new XanoNodeClient({ apiGroupBaseUrl: recorder.origin, authToken: token });
    recorder.take();
    const [wanda, thor] = [make("wanda"), make("thor")];
    await wanda.get("/a");
    await thor.get("/b");
    assert.deepEqual(recorder.take().map(({ headers }) => headers.authorization), ["Bearer wanda", "Bearer thor"]);
  });

  test("cookies go to another origin when they are asked to", async (t) => {
    const other = await Recorder.start();
    t.after(() => other.stop());
    const page = await openPage(t);
    await page.evaluate(async (origin) => {
      document.cookie = "a=1";
      const get = (config) => new XanoClient({ apiGroupBaseUrl: origin, customAxiosRequestConfig: config }).get("/users");
      await get({});
      await get({ withCredentials: false });
      await get({ withCredentials: true });
    }, other.origin);
    assert.deepEqual(other.take().map(({ cookie }) => cookie), [undefined, undefined, "a=1"]);
  });

  test("a key that means nothing is named, once for each client", async (t) => {
    const page = await openPage(t);
    await page.evaluate(async (origin) => {
      const customAxiosRequestConfig = { headers: {}, httpsAgent: {}, params: {}, proxy: false, responseType: "json", timeout: 0, withCredentials: false };
      const xano = new XanoClient({ apiGroupBaseUrl: origin, customAxiosRequestConfig });
      await xano.get("/users");
      await xano.get("/users");
    }, recorder.origin);
    const warnings = page.lines.filter((line) => line.startsWith("xano-realtime: customAxiosRequestConfig."));
    assert.deepEqual(warnings.map((line) => line.split(" ")[1]), ["customAxiosRequestConfig.httpsAgent", "customAxiosRequestConfig.proxy"]);
    assert.match(warnings[0], /headers, params, responseType, signal, timeout, withCredentials/);
  });

  test("a signal that is used again leaves what is done alone", async () => {
    const controller = new AbortController();
    const xano = new XanoNodeClient({ apiGroupBaseUrl: recorder.origin, customAxiosRequestConfig: { signal: controller.signal, timeout: 60_000 } });
    assert.equal((await xano.get("/users")).getStatusCode(), 200);
    controller.abort(new Error("mine"));
    await assert.rejects(xano.get("/users"), { code: "ERR_CANCELED", message: "canceled" });
  });

  test("a stream that nobody hears is ended", async () => {
    const xano = new XanoNodeClient({ apiGroupBaseUrl: recorder.origin });
    const left = recorder.left;
    const mine = new Error("mine");
    await assert.rejects(xano.get("/endless", {}, {}, () => { throw mine; }), mine);
    await waitFor(() => recorder.left > left, () => "the connection ends");
  });

  test("an event that has no end is given up", async () => {
    const xano = new XanoNodeClient({ apiGroupBaseUrl: recorder.origin });
    const left = recorder.left;
    await assert.rejects(xano.get("/huge", {}, {}, assert.fail), { code: "event_too_large" });
    await waitFor(() => recorder.left > left, () => "the connection ends");
  });

  test("an address or a header that cannot be is no failure of the network", async () => {
    await assert.rejects(new XanoNodeClient({ apiGroupBaseUrl: "no address" }).get("/a"), TypeError);
    assert.throws(() => new XanoNodeClient({ apiGroupBaseUrl: recorder.origin }).get("/a", {}, { "no name": 1 }), TypeError);
  });

  test("parameters that contain themselves say so, and what throws is heard", () => {
    const xano = new XanoNodeClient({ apiGroupBaseUrl: recorder.origin });
    const own = {};
    own.own = own;
    assert.throws(() => xano.get("/a", { own }), { code: "params_too_deep" });
    const mine = new Error("mine");
    assert.throws(() => xano.get("/a", { date: { toJSON: () => { throw mine; } } }), mine);
  });

  test("the settings of the caller are not touched, however they are given", () => {
    const config = Object.freeze({ apiGroupBaseUrl: recorder.origin, authToken: "t", realtimeAuthToken: "r" });
    for (const Client of [XanoClient, XanoNodeClient]) {
      assert.ok(new Client(config).hasAuthToken());
      for (const none of [undefined, null, {}, { storage: null }]) assert.equal(new Client(none).hasAuthToken(), false);
    }
    assert.ok(new XanoNodeClient() instanceof XanoClient);
    assert.deepEqual(new XanoObjectStorage().getAll(), {});
  });

  test("what is typed for the old SDK is typed for ours", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "xano-typed-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await symlink(root("node_modules"), join(folder, "node_modules"), "junction");
    await mkdir(join(folder, "ours/node_modules"), { recursive: true });
    await symlink(root("dist"), join(folder, "ours/node_modules/xano-realtime"), "junction");
    const code = await readFile(root("tests/types/drop-in.ts"), "utf8");
    await writeFile(join(folder, "package.json"), `{"type":"module"}`);
    await writeFile(join(folder, "theirs.ts"), code);
    await writeFile(join(folder, "ours/ours.ts"), code.replaceAll('"@xano/js-sdk"', '"xano-realtime"'));
    for (const [file, lenient] of [["theirs.ts", ["--skipLibCheck"]], ["ours/ours.ts", []]]) {
      const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "--types", "", ...lenient];
      const tsc = run(process.execPath, [root("node_modules/typescript/bin/tsc"), ...options, join(folder, file)]);
      await tsc.catch(({ stdout }) => assert.fail(stdout));
    }
  });

  describe("docs/switching.md", () => {
    const here = (code) => code.replaceAll("http://localhost:8787", recorder.origin);

    test("its examples run in a page", async (t) => {
      const page = await openTab(browser, `${recorder.origin}/page`);
      t.after(() => page.context().close());
      const [, script] = await blocks("html");
      assert.match(script, /<script src="http:\/\/localhost:8787\/sdk\/xano.min.js"><\/script>/);
      await page.addScriptTag({ path: SCRIPTS.ours });
      await page.setInputFiles(await input(page), { name: "a.png", mimeType: "image/png", buffer: Buffer.from("x") });
      recorder.take();
      const [before] = await blocks("html");
      assert.ok(before.includes(`/${SCRIPTS.theirs.split("node_modules/")[1].replace("js-sdk/", "js-sdk@latest/")}"`), before);
      const code = await blocks("js");
      assert.equal(code[0].replace("@xano/js-sdk", "xano-realtime"), code[1]);
      const [use, file, stream, storage] = [2, 3, 5, 6].map((index) => here(code[index].replace(/^import .*$/gm, "")));
      await page.evaluate(`(async () => { ${use} ${file} ${stream} })()`);
      await page.evaluate(`(async () => { ${storage} xano.setAuthToken("s"); await xano.get("/users"); })()`);
      assert.deepEqual(page.lines, ["200 Wanda", "word 1 {a: 1}", "message 1 plain"]);
      const [login, me, upload, ask, own] = recorder.take();
      assert.deepEqual([login, me, upload, ask].map(({ method, url }) => `${method} ${url}`),
        ["POST /api:main/auth/login", "GET /api:main/auth/me", "POST /api:main/upload", "POST /api:main/ask"]);
      assert.deepEqual(upload.body.map(({ name, file, type }) => [name, file, type]), [["title", undefined, undefined], ["image", "a.png", "image/png"]]);
      assert.equal(own.headers.authorization, "Bearer s");
      assert.equal(await page.evaluate(`localStorage.getItem("app.AuthToken")`), "s");
    });

    test("its example for Node.js runs, and all of them type-check under --strict", async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "xano-switching-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      await mkdir(join(folder, "node_modules"));
      await symlink(root("dist"), join(folder, "node_modules/xano-realtime"), "junction");
      await writeFile(join(folder, "package.json"), `{"type":"module"}`);
      await writeFile(join(folder, "avatar.png"), "x");
      const code = (await blocks("js")).map(here);
      await writeFile(join(folder, "node.js"), code[4]);
      recorder.take();
      await run(process.execPath, ["node.js"], { cwd: folder });
      assert.deepEqual(recorder.take()[0].body.map(({ name, file, type }) => [name, file, type]), [["image", "avatar.png", "image/png"]]);

      const page = [code[1], code[2], code[3], code[5]].join("\n").replace("(error)", "(error: any)");
      const picker = `document.querySelector("input[type=file]").files[0]`;
      await writeFile(join(folder, "page.ts"), page.replace(picker, "new File([], 'a.png')"));
      const own = code[6].replaceAll(/(get|remove|set)Item\(key(, value)?\) \{/g, (_, verb, value) => `${verb}Item(key: string${value ? ", value: string" : ""}) {`);
      await writeFile(join(folder, "storage.ts"), own.replaceAll("localStorage", "(globalThis as any).localStorage").replace("Object.entries(", "Object.entries<string>("));
      const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "--types", ""];
      const tsc = run(process.execPath, [root("node_modules/typescript/bin/tsc"), ...options, join(folder, "page.ts"), join(folder, "storage.ts")]);
      await tsc.catch(({ stdout }) => assert.fail(stdout));
    });

    test("its settings are taken, and an application that only knows the old hash talks", async (t) => {
      const server = await Server.start({ demo: false });
      t.after(() => server.dispose());
      const folder = await mkdtemp(join(tmpdir(), "xano-settings-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      await symlink(server.folder, join(folder, "data"));
      const [settings] = await blocks("sh");
      const { stdout } = await run("sh", ["-eu", "-c", settings.replaceAll("http://localhost:8787", server.origin)], { cwd: folder });
      const { enabled, hash, channels } = JSON.parse(stdout);
      assert.deepEqual([enabled, hash, channels.map(({ pattern }) => pattern)], [true, "1lK90n16tnnylJpJ0Xa7Km6_KxA", ["lobby", "team/*"]]);
      // Requests still go where they went, realtime does not.
      const page = await openTab(browser, `${server.origin}/healthz`);
      t.after(() => page.context().close());
      await page.addScriptTag({ path: SCRIPTS.ours });
      recorder.take();
      const published = await page.evaluate(async ([instanceBaseUrl, apiGroupBaseUrl, realtimeConnectionCanonical]) => {
        const xano = new XanoClient({ instanceBaseUrl, apiGroupBaseUrl, realtimeConnectionCanonical });
        await xano.get("/users");
        return xano.channel("lobby").message("Hello");
      }, [server.origin, recorder.origin, hash]);
      assert.equal(published.seq, 1);
      assert.deepEqual(recorder.take().map(({ url }) => url), ["/users"]);
    });

    async function input(page) {
      await page.evaluate(`document.body.innerHTML = "<input type=file>"`);
      return "input";
    }
  });
});
