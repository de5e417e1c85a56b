import assert from "node:assert/strict";
import { cp, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { launchBrowser, openTab } from "../e2e/support/browser.js";
import { waitFor } from "../e2e/support/chat.js";
import { Server } from "../e2e/support/server.js";
import { PATIENCE, blocks, host, install, project, run, serve, tool } from "./support.js";

const GUIDE = "docs/installing.md";
const [NPM, COMMONJS, WEBSOCKET, WORKER, VITE_SLIM, URL_SLIM, PARCEL_SLIM, ESBUILD_SLIM, NODE_SLIM, WORKER_SLIM] = await blocks(GUIDE, "js");
const [CLIENT_COMPONENT] = await blocks(GUIDE, "jsx");
const [SCRIPT_TAG, INTEGRITY_TAG] = await blocks(GUIDE, "html");
const [INSTALL, HASHES] = await blocks(GUIDE, "sh");

// Beside what a guide's block imports.
const SLIM = `import * as slim from "xano-realtime/slim";\nimport "./app.js";\n`;
const SHOW = "globalThis.show(slim.XanoClient);\n";
const START = `${SLIM}import { start } from "./start.js";\nawait start();\n${SHOW}`;
const TALK = `const [server, hash, text] = process.argv.slice(2);
console.log(await globalThis.chat(slim.XanoClient, { server, hash, text }));\n`;

// Newer ones than the oldest that is supported take an ES module for CommonJS, too.
const isLenient = process.allowedNodeEnvironmentFlags.has("--experimental-require-module");
const strict = isLenient ? ["--no-experimental-require-module"] : [];
const node = [process.execPath, ...strict, "--import", "./websocket.mjs"];
const viteServer = [tool("vite"), "--host", "127.0.0.1", "--port", "0"];
const webpack = (entry) => [process.execPath, "build.js", entry];
const esbuild = (entry, ...options) => [tool("esbuild"), entry, "--bundle", "--format=esm", `--outfile=dist/${entry}`, "--log-level=warning", ...options];
// The cache is of no use to one build.
const parcel = [tool("parcel"), "build", "index.html", "--dist-dir", "dist", "--no-cache", "--no-autoinstall"];
const next = (...options) => [tool("next"), ...options];
const address = (line) => /https?:\/\/[\w.]+:\d+/.exec(line)?.[0];

/** Pages, by what builds or serves them. `files` are put beside the fixtures. */
const PAGES = [
  { name: "Vite", fixtures: ["page"], build: [tool("vite"), "build"] },
  { name: "Vite's development server", fixtures: ["page"], serve: viteServer },
  {
    name: "Vite's development server, slim",
    fixtures: ["page"],
    files: { "page.js": VITE_SLIM + SLIM + SHOW },
    serve: viteServer,
  },
  { name: "webpack 5", fixtures: ["page", "webpack"], build: webpack("./page.js") },
  { name: "webpack 5, with require()", fixtures: ["page", "commonjs", "webpack"], build: webpack("./page.cjs") },
  { name: "Rollup", fixtures: ["page", "rollup"], build: [tool("rollup"), "--config", "--silent"] },
  { name: "esbuild", fixtures: ["page"], build: esbuild("page.js", "--minify") },
  { name: "Parcel", fixtures: ["page"], build: parcel },
  { name: "Vite, slim", fixtures: ["page"], files: { "page.js": VITE_SLIM + SLIM + SHOW }, build: [tool("vite"), "build"] },
  { name: "webpack 5, slim", fixtures: ["page", "webpack"], files: { "page.js": START, "start.js": URL_SLIM }, build: webpack("./page.js") },
  { name: "Parcel, slim", fixtures: ["page"], files: { "page.js": PARCEL_SLIM + SLIM + SHOW }, build: parcel },
  { name: "esbuild, slim", fixtures: ["page"], files: { "page.js": ESBUILD_SLIM + SLIM + SHOW }, build: esbuild("page.js", "--loader:.wasm=file") },
];
/** Programs, by what runs them. */
const PROGRAMS = [
  { name: "Node.js, an ES module", run: [...node, "main.mjs"] },
  { name: "Node.js, CommonJS", run: [...node, "main.cjs"] },
  { name: "Node.js, slim", run: [...node, "slim.mjs"] },
  { name: "Bun, an ES module", run: [await bun(), "main.mjs"] },
  { name: "Bun, CommonJS", run: [await bun(), "main.cjs"] },
  { name: "Deno", run: [tool("deno"), "run", "--no-prompt", "--allow-net", "main.mjs"] },
];
const MODULES = ["xano-realtime", "xano-realtime/slim"];

/** The files with their texts changed. */
function mapped(files, change) {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, change(text)]));
}

/** Bun's program: its package copies it to where `.bin` looks only if install scripts may run. */
async function bun() {
  const platforms = new URL("node_modules/@oven/", import.meta.url);
  const [platform] = await readdir(platforms);
  return fileURLToPath(new URL(`${platform}/bin/bun`, platforms));
}

describe("the npm package, installed", { concurrency: 2, timeout: 2 * PATIENCE }, () => {
  let server;
  let browser;
  let tarball;

  before(async () => {
    [server, browser, tarball] = await Promise.all([Server.start(), launchBrowser(), install()]);
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const here = (code) => code.replaceAll("http://localhost:8787", server.origin).replaceAll("CONNECTION_HASH", server.hash);
  const query = (text) => new URLSearchParams({ server: server.origin, hash: server.hash, text });

  /** The page has joined, has said what its address tells, and shows it as heard. */
  const talks = async (t, url, text) => {
    const page = await openTab(browser, `${url}?${query(text)}`);
    t.after(() => page.context().close());
    const shown = () => page.locator("body").innerText();
    await waitFor(shown, () => `something is shown: ${page.problems} ${page.lines}`);
    assert.deepEqual([await shown(), page.problems], [`heard: ${text}`, []]);
    return page;
  };

  /** The page of a document has said and heard its greeting. */
  const greets = async (t, url) => {
    const page = await openTab(browser, url);
    t.after(() => page.context().close());
    await waitFor(() => page.lines.includes("Hello World!"), () => `the console says so: ${page.lines}; ${page.problems}`);
    assert.deepEqual(page.problems, []);
  };

  for (const [index, { name, fixtures, files = {}, build, serve: command }] of PAGES.entries()) {
    test(`a page made with ${name} talks to the server`, async (t) => {
      const folder = await project(`page-${index}`, fixtures, mapped(files, here));
      if (command) return talks(t, `${await serve(t, command, folder, address)}/index.html`, name);
      await run(build, folder);
      const dist = join(folder, "dist");
      if (!(await readdir(dist)).includes("index.html")) await cp(join(folder, "index.html"), join(dist, "index.html"));
      await talks(t, `${await host(t, dist)}/`, name);
    });
  }

  for (const bundler of ["turbopack", "webpack"]) {
    test(`Next.js with ${bundler} renders components that import it, and they talk in the browser`, async (t) => {
      const files = { "app/slim/start.js": URL_SLIM, "app/guide/page.js": here(CLIENT_COMPONENT) };
      const folder = await project(`next-${bundler}`, ["next"], files);
      // With webpack this Next.js builds no route at the edge, whatever is in it.
      if (bundler === "webpack") await rm(join(folder, "app/edge"), { recursive: true });
      await run(next("build", `--${bundler}`), folder);
      const origin = await serve(t, next("start", "-H", "127.0.0.1", "-p", "0"), folder, address);
      const html = await (await fetch(origin)).text();
      assert.match(html, /<main data-client="XanoClient" data-action="message">/);
      await talks(t, `${origin}/`, "Next.js");
      await talks(t, `${origin}/slim`, "Next.js, slim");
      if (bundler === "turbopack") {
        const built = await readdir(join(folder, ".next/server/edge"), { recursive: true });
        assert.ok(built.some((path) => path.endsWith(".wasm")), `the core is a module of its own: ${built}`);
        assert.equal(await (await fetch(`${origin}/edge?${query("the edge")}`)).text(), "heard: the edge");
      }
      const page = await openTab(browser, `${origin}/guide`);
      t.after(() => page.context().close());
      await page.getByText("Hello World!", { exact: true }).first().waitFor();
      assert.deepEqual(page.problems, []);
    });
  }

  test("programs talk to the server", async (t) => {
    const folder = await project("programs", ["script"], { "websocket.mjs": WEBSOCKET, "slim.mjs": NODE_SLIM + SLIM + TALK });
    for (const { name, run: command } of PROGRAMS) {
      await t.test(name, async () => {
        const printed = await run([...command, server.origin, server.hash, name], folder);
        assert.equal(printed, `heard: ${name}\n`);
      });
    }
  });

  /** Builds a worker as wrangler does, and answers with the address at which the real runtime serves it. */
  const work = async (t, name, code) => {
    const folder = await project(name, ["workerd"], code && { "worker.js": code });
    const options = ["--conditions=workerd,worker,browser", "--loader:.wasm=copy", "--asset-names=[name]"];
    await run(esbuild("worker.js", ...options), folder);
    const command = [tool("workerd"), "serve", "--control-fd=1", "config.capnp"];
    const port = await serve(t, command, folder, (line) => line.startsWith("{") && JSON.parse(line).port);
    return `http://127.0.0.1:${port}`;
  };

  test("a worker talks to the server", async (t) => {
    const origin = await work(t, "worker");
    for (const text of ["a worker", "a worker again"]) {
      assert.equal(await (await fetch(`${origin}/?${query(text)}`)).text(), `heard: ${text}`);
    }
  });

  test("the guide's workers talk to the server, with and without the core inside", async (t) => {
    const full = here(WORKER);
    const slim = WORKER_SLIM + full.replace(`"xano-realtime"`, `"xano-realtime/slim"`);
    for (const [name, code] of [["guide-worker", full], ["guide-worker-slim", slim]]) {
      const { seq } = await (await fetch(await work(t, name, code))).json();
      assert.ok(seq > 0);
    }
  });

  test("the script works in a page that is opened from disk", async (t) => {
    const html = `<!doctype html><body></body><script src="../node_modules/xano-realtime/xano.min.js"></script>
      <script src="app.js"></script><script>show(XanoClient)</script>`;
    const folder = await project("disk", [], { "index.html": html });
    await talks(t, pathToFileURL(join(folder, "index.html")).href, "from disk");
  });

  test("the guide's module and its script tag talk to the server", async (t) => {
    const folder = await project("guide", [], {
      "guide.js": here(NPM),
      "dist/module.html": `<!doctype html><script type="module" src="guide.js"></script>`,
      "dist/tag.html": `<!doctype html>${here(SCRIPT_TAG)}`,
    });
    await run(esbuild("guide.js"), folder);
    const origin = await host(t, join(folder, "dist"));
    await greets(t, `${origin}/module.html`);
    await greets(t, `${origin}/tag.html`);
  });

  test("the hash that the server tells is the one that the browser computes", async (t) => {
    const told = JSON.parse(await run(["sh", "-c", here(HASHES)], "."));
    const shipped = await readFile(join(tarball, "../node_modules/xano-realtime/integrity.json"), "utf8");
    assert.deepEqual(told, JSON.parse(shipped));
    const tag = here(INTEGRITY_TAG).replace("HASH OF xano.min.js", told["xano.min.js"]);
    const page = (tag) => `<!doctype html><body></body>${tag}<script src="app.js"></script><script>show(XanoClient)</script>`;
    const wrong = tag.replace(told["xano.min.js"], told["index.js"]);
    const folder = await project("integrity", [], { "index.html": page(tag), "wrong.html": page(wrong) });
    const origin = await host(t, folder);
    await talks(t, `${origin}/`, "with integrity");
    const refused = await openTab(browser, `${origin}/wrong.html`);
    t.after(() => refused.context().close());
    assert.match(refused.problems.join(), /XanoClient is not defined/);
  });

  test("importing does nothing, as an ES module and as CommonJS", async () => {
    const folder = await project("import", ["script"]);
    const root = join(folder, "../node_modules/xano-realtime");
    const { exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    for (const name of MODULES) {
      const { require: commonjs } = exports[name.replace("xano-realtime", ".")];
      for (const specifier of [name, pathToFileURL(join(root, commonjs)).href]) {
        const { added, exports: names, touched } = JSON.parse(await run([process.execPath, "import.mjs", specifier], folder));
        assert.deepEqual({ added, touched }, { added: [], touched: [] }, specifier);
        assert.ok(names.includes("XanoClient"), `${specifier}: ${names}`);
      }
    }
    await run([process.execPath, "-e", `${COMMONJS}; new XanoClient({})`], folder);
  });

  test("what an application does not use is left out of its bundle, and the script never is", async () => {
    const unused = MODULES.map((name, index) => `import { XanoClient as Client${index} } from "${name}";`).join("\n");
    const folder = await project("unused", [], { "unused.js": unused, "script.js": `import "xano-realtime/xano.min.js";` });
    const size = async (entry) => (await run([tool("esbuild"), entry, "--bundle", "--format=esm", "--minify"], folder)).length;
    assert.equal(await size("unused.js"), 0);
    assert.ok((await size("script.js")) > 90_000);
  });

  test("slim says what is wrong, and can be told again", async () => {
    const told = JSON.parse(await run([process.execPath, "faults.mjs"], await project("faults", ["script"])));
    assert.deepEqual(told, [
      ["a stream before", "not_initialized"],
      ["an address", "wrong_core"],
      ["a page", "wrong_core"],
      ["another build's", "wrong_core"],
      ["another module", "wrong_core"],
      ["no host", "core_unavailable"],
      ["no file", "core_unavailable"],
      ["a stream still", "not_initialized"],
      ["the core, twice", "ok"],
      ["a stream", "ok"],
      ["it again", "ok"],
      ["an answer of the type", "ok"],
      ["a stream of it", "ok"],
    ]);
  });

  test("slim tells a page whose policy forbids WebAssembly from a file that is none", async (t) => {
    const script = `import { init } from "xano-realtime/slim";\nimport url from "xano-realtime/core.wasm";
      const load = (url) => init(fetch(url)).catch((error) => error.code);
      document.body.textContent = [await load("page.html"), await load(url)].join();`;
    const page = (policy) => `<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src 'self'${policy}">
      <body></body><script type="module" src="page.js"></script>`;
    const files = { "dist/strict.html": page(""), "dist/page.html": page(" 'wasm-unsafe-eval'") };
    const folder = await project("policy", [], { ...files, "page.js": script });
    await run(esbuild("page.js", "--loader:.wasm=file"), folder);
    const origin = await host(t, join(folder, "dist"));
    for (const [name, codes] of [["strict", "csp_blocks_wasm,csp_blocks_wasm"], ["page", "wrong_core,"]]) {
      const tab = await openTab(browser, `${origin}/${name}.html`);
      t.after(() => tab.context().close());
      const shown = () => tab.locator("body").innerText();
      await waitFor(shown, () => `something is shown: ${tab.problems} ${tab.lines}`);
      assert.equal(await shown(), codes);
    }
  });

  test("its types resolve and hold in every way of resolving modules", async () => {
    const folder = await project("types", ["types"]);
    const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
    const options = ["--strict", "--noEmit", "--target", "es2022", "--types", ""];
    for (const [module, resolution, ...files] of [
      ["node16", "node16", "consumer.mts", "consumer.cts"],
      ["nodenext", "nodenext", "consumer.mts", "consumer.cts"],
      ["esnext", "bundler", "consumer.mts"],
      ["preserve", "bundler", "consumer.mts", "consumer.cts"],
    ]) {
      await run([process.execPath, tsc, ...options, "--module", module, "--moduleResolution", resolution, ...files], folder);
    }
  });

  test("publint and are-the-types-wrong find nothing wrong", async () => {
    await run([tool("publint"), "run", tarball, "--strict"], ".");
    // What is no module: scripts, whose names are globals, and what is no code.
    const others = ["./xano.min.js", "./xano-attributes.min.js", "./core.wasm", "./integrity.json"];
    await run([tool("attw"), tarball, "--profile", "node16", "--no-emoji", "--exclude-entrypoints", ...others], ".");
  });

  test("the guide installs the package as README does, whose commands are run", async () => {
    const [, readme] = await blocks("README.md", "sh");
    assert.equal(INSTALL, readme);
    const { name, version } = JSON.parse(await readFile(join(tarball, "../node_modules/xano-realtime/package.json"), "utf8"));
    assert.ok(INSTALL.endsWith(`npm install ./${name}-${version}.tgz\n`), INSTALL);
  });
});
