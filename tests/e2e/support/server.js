import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The real server as a process of its own, on a free port, with a data directory of its own. */
export class Server {
  #process;
  #folder;
  #options;
  #fileSize;
  #paused = false;

  /**
   * Where it is given a `key` it signs with that, as with one that an earlier version has left behind.
   * `fileSize` is how many bytes its files may have, as if the disk were full from then on.
   */
  static async start({ demo = true, options = [], key, fileSize } = {}) {
    const server = new Server();
    server.#fileSize = fileSize;
    server.#folder = await mkdtemp(join(tmpdir(), "xano-e2e-"));
    server.#options = demo ? ["--demo", ...options] : options;
    try {
      if (key) await writeFile(join(server.#folder, "signing-key"), key.toString("base64url"));
      await server.#run("127.0.0.1:0");
      server.adminToken = (await readFile(join(server.#folder, "admin-token"), "utf8")).trim();
      // The demo's is printed, as the person at the terminal needs it.
      server.hash ??= (await server.admin("GET", "")).hash;
    } catch (error) {
      await server.dispose();
      throw error;
    }
    return server;
  }

  /** The lines that it greets with. */
  told = [];

  /** Its data directory. */
  get folder() {
    return this.#folder;
  }

  /** Asks the Metadata API; the answer's body. */
  async admin(method, path, body) {
    const response = await fetch(`${this.origin}/api:meta/workspace/1/realtime${path}`, {
      method,
      headers: { authorization: `Bearer ${this.adminToken}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path} is answered with ${response.status}: ${text}`);
    return text && JSON.parse(text);
  }

  /** Starts it again on the same port after {@link stop}. */
  async restart() {
    await this.#run(`127.0.0.1:${this.port}`);
  }

  /** Asks it to stop, as an operator would, and waits until it has. */
  async stop(signal = "SIGTERM") {
    if (!this.#process) return;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, "exit");
  }

  /** Asks it to stop, and waits until it welcomes nobody any more; it goes when its connections have been told. */
  async drain() {
    this.#process.kill("SIGTERM");
    const end = Date.now() + 10_000;
    while ((await fetch(`${this.origin}/readyz`)).ok) assert.ok(Date.now() < end, "the server does not stop");
  }

  /** Stops it in its tracks: its connections stay open, and nothing answers until it goes on or is killed. */
  async pause() {
    this.#process.kill("SIGSTOP");
    this.#paused = true;
    const end = Date.now() + 10_000;
    while (!(await isStopped(this.#process.pid))) assert.ok(Date.now() < end, "the server does not stop");
  }

  /** Goes on after {@link pause}, and finds all that has come meanwhile. */
  goOn() {
    this.#process.kill("SIGCONT");
    this.#paused = false;
  }

  /** The page of its metrics. */
  async metrics() {
    const response = await fetch(`${this.origin}/metrics`, { headers: { authorization: `Bearer ${this.adminToken}` } });
    assert.equal(response.status, 200);
    return response.text();
  }

  async dispose() {
    // One that is paused takes no other signal.
    await this.stop(this.#paused ? "SIGKILL" : "SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(listen) {
    const binary = process.env.XANO_SERVER_BIN;
    assert.ok(binary, "XANO_SERVER_BIN must name the built server; `npm test` sets it");
    const serve = [binary, "serve", "--listen", listen, "--data-dir", this.#folder, "--log", "warn", ...this.#options];
    if (!this.#options.includes("--drain-window")) serve.push("--drain-window", "0");
    const [program, ...args] = this.#fileSize === undefined ? serve : ["sh", "-c", limitFiles(this.#fileSize), "sh", ...serve];
    this.#paused = false;
    this.#process = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#process.stdout });
    const told = [];
    await new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      this.#process.once("exit", (code) => reject(new Error(`the server ended with code ${code} before it listened`)));
      lines.on("line", (line) => {
        told.push(line);
        if (line.startsWith("Ctrl-C")) resolve();
      });
    });
    const address = /listening on (https?:\/\/.*:(\d+))$/.exec(told[0]);
    assert.ok(address, `the server's first line names its address: ${told[0]}`);
    this.told = told;
    this.hash = told.map((line) => /connection hash +(\S+)$/.exec(line)?.[1]).find(Boolean) ?? this.hash;
    this.origin = address[1];
    this.port = Number(address[2]);
  }
}

/** A thread that has been told to stop still takes what comes until it does, unless it ends. Systems without
 * `/proc` do not tell. */
async function isStopped(pid) {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const stat = (thread) => readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => null);
  const states = threads.map(async (thread) => /\) T |^null$/.test(await stat(thread)));
  return (await Promise.all(states)).every(Boolean);
}

/** What a shell says to run a program whose files do not grow: writing fails, and no signal ends it. */
const limitFiles = (bytes) => `trap '' XFSZ; ulimit -f ${Math.ceil(bytes / 512)}; exec "$@"`;
