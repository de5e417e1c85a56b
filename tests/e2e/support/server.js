import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The real server as a process of its own, on a free port, with a data directory of its own. */
export class Server {
  #process;
  #folder;
  #options;
  #paused = false;

  /** Where it is given a `key` it signs with that, as with one that an earlier version has left behind. */
  static async start({ demo = true, options = [], key } = {}) {
    const server = new Server();
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

  /** Stops it in its tracks: its connections stay open, and nothing answers until it is killed. */
  pause() {
    this.#process.kill("SIGSTOP");
    this.#paused = true;
  }

  async dispose() {
    // One that is paused takes no other signal.
    await this.stop(this.#paused ? "SIGKILL" : "SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(listen) {
    const binary = process.env.XANO_SERVER_BIN;
    assert.ok(binary, "XANO_SERVER_BIN must name the built server; `npm test` sets it");
    const args = ["serve", "--listen", listen, "--data-dir", this.#folder, "--log", "warn", "--drain-window", "0", ...this.#options];
    this.#paused = false;
    this.#process = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
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
    this.hash = told.map((line) => /connection hash +(\S+)$/.exec(line)?.[1]).find(Boolean) ?? this.hash;
    this.origin = address[1];
    this.port = Number(address[2]);
  }
}
