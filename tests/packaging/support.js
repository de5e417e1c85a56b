import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Longer than anything here takes, in milliseconds, also where the machine is busy. */
export const PATIENCE = 240_000;
/** Below the tools, which are so found from there; the package is installed in it. */
const WORK = here("work");
const ENVIRONMENT = {
  ...process.env,
  DENO_NO_UPDATE_CHECK: "1",
  DO_NOT_TRACK: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  NO_COLOR: "1",
};
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

function here(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** The program of a tool. */
export function tool(name) {
  return join(here("node_modules/.bin"), name);
}

/** Packs what is in `dist/` as for the registry, and installs that; answers with the package's file. */
export async function install() {
  await rm(WORK, { recursive: true, force: true });
  await mkdir(WORK);
  await writeFile(join(WORK, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const packed = await run(["npm", "pack", "--json", "--pack-destination", WORK], here("../../dist"));
  const [{ filename }] = JSON.parse(packed);
  await run(["npm", "install", "--offline", "--no-audit", `./${filename}`], WORK);
  return join(WORK, filename);
}

/** A folder with the application, these fixtures, and files that are given as text. */
export async function project(name, fixtures, files = {}) {
  const folder = join(WORK, name);
  await mkdir(folder);
  await cp(here("app.js"), join(folder, "app.js"));
  for (const fixture of fixtures) await cp(here(`fixtures/${fixture}`), folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

/** The blocks of a document in one language. */
export async function blocks(path, language) {
  const text = await readFile(here(`../../${path}`), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);
}

/** What a program prints; it fails with all it said. */
export async function run([program, ...args], folder) {
  const child = spawn(program, args, { cwd: folder, env: ENVIRONMENT, timeout: PATIENCE });
  let [printed, said] = ["", ""];
  child.stdout.on("data", (chunk) => (printed += chunk));
  child.stderr.on("data", (chunk) => (said += chunk));
  const [code, signal] = await once(child, "close");
  assert.ok(code === 0, `${program} ${args.join(" ")} ended with ${code ?? signal}:\n${printed}${said}`);
  return printed;
}

/** Starts a program that serves; `find` knows its address in a line of what it prints. */
export async function serve(t, [program, ...args], folder, find) {
  const stdio = ["ignore", "pipe", "inherit"];
  // Some are scripts that run the program proper: a group of their own ends with both. Asked to end, some wait
  // for their clients first, who are pages that close later.
  const child = spawn(program, args, { cwd: folder, detached: true, env: ENVIRONMENT, stdio });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    process.kill(-child.pid, "SIGKILL");
    await once(child, "exit");
  });
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    AbortSignal.timeout(PATIENCE).addEventListener("abort", () => reject(new Error(`${program} does not serve`)));
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`${program} ended with ${code ?? signal} before it served`)));
    lines.on("line", (line) => {
      const address = find(line);
      if (address) resolve(address);
    });
  });
}

/** A host for the files of a folder. */
export async function host(t, folder) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://host");
    const path = join(folder, pathname === "/" ? "index.html" : pathname);
    const bytes = await readFile(path).catch(() => null);
    response.writeHead(bytes ? 200 : 404, { "content-type": TYPES[extname(path)] ?? "text/plain" });
    response.end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
