import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { match } from "../conformance/pattern.js";
import { Client } from "../conformance/transcript.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

const page = await readFile(new URL("../../docs/identity.md", import.meta.url), "utf8");
const blocks = (language) =>
  [...page.matchAll(new RegExp(`^( *)\`\`\`${language}\n(.*?)^ *\`\`\``, "gms"))].map(([, indent, text]) =>
    text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
const commands = blocks("sh").flatMap((block) => block.trim().split("\n"));
const words = (line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
const run = promisify(execFile);
const binary = process.env.XANO_SERVER_BIN;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const read = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

/** By algorithm: how such a key is made, and what it hashes. */
const KINDS = {
  ES256: ["ec", { namedCurve: "P-256" }, "sha256"],
  EdDSA: ["ed25519", {}, null],
  RS256: ["rsa", { modulusLength: 2_048 }, "sha256"],
};

/** An issuer's key and tokens, by another implementation than the server's. */
function issuer(kid, alg = "ES256") {
  const [kind, options, hash] = KINDS[alg];
  const { publicKey, privateKey } = generateKeyPairSync(kind, options);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig" };
  const token = (claims) => {
    const message = `${encode({ alg, kid })}.${encode(claims)}`;
    const signature = sign(hash, Buffer.from(message), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${message}.${signature.toString("base64url")}`;
  };
  return { pem: publicKey.export({ format: "pem", type: "spki" }), jwk, token };
}

/** Runs one of the page's commands for a server, in a folder of its own; its address and hash. */
async function serve(t, line, folder) {
  const args = [...words(line).slice(1), "--listen", "127.0.0.1:0", "--demo", "--data-dir", "data", "--log", "warn"];
  const server = spawn(binary, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    if (server.exitCode === null && server.kill()) await once(server, "exit");
  });
  const told = [];
  for await (const text of createInterface({ input: server.stdout })) {
    told.push(text);
    if (text.startsWith("Ctrl-C")) break;
  }
  const origin = /listening on (http:\/\/\S+)$/.exec(told[0])?.[1];
  const hash = told.map((text) => /connection hash +(\S+)$/.exec(text)?.[1]).find(Boolean);
  assert.ok(origin && hash, `${line} starts a server: ${told}`);
  return (token) => joined(`${origin.replace("http", "ws")}/rt/${hash}`, token);
}

/** Who a token's bearer is in the members' channel; what refuses a token that names nobody. */
async function joined(url, token) {
  const client = await Client.open(url, token);
  client.send({ action: "join", options: { channel: "marvel-hq" }, payload: {} });
  const frame = await client.read("join");
  client.end();
  return frame.action === "join" ? frame.client : frame.payload.code;
}

describe("docs/identity.md", () => {
  let browser;
  let server;
  let folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "xano-identity-"));
    browser = await launchBrowser();
    server = await Server.start();
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  test("its script signs up and speaks in a channel, in a page of another origin", async (t) => {
    const [script] = blocks("js");
    const elsewhere = await Server.start();
    t.after(() => elsewhere.dispose());
    const tab = await openTab(browser, `${elsewhere.origin}/healthz`);
    const imports = JSON.stringify({ imports: { "xano-realtime": `${server.origin}/sdk/index.js` } });
    const here = script.replaceAll("http://localhost:8787", server.origin).replaceAll("CONNECTION_HASH", server.hash);
    await tab.setContent(
      `<!doctype html><script type="importmap">${imports}</script><script type="module">${here}</script>`,
    );
    for (const line of ["I am Thor", "joined as Thor", "Thor says Hello, team!"]) {
      await waitFor(() => tab.lines.includes(line), () => `the console says "${line}": ${tab.lines}`);
    }
    assert.deepEqual(tab.problems, []);
    await tab.context().close();
  });

  test("its exchanges are what the server answers", async () => {
    const values = new Map();
    const exchanges = blocks("exchange");
    assert.equal(exchanges.length, 7);
    for (const exchange of exchanges) {
      const lines = exchange.trim().split("\n");
      const [method, path] = lines.shift().split(" ");
      const expected = JSON.parse(lines.pop());
      const status = Number(lines.pop());
      const headers = {};
      let body;
      for (const line of lines) {
        const [, name, value] = /^([\w-]+): (.*)$/.exec(line) ?? [];
        if (name) headers[name] = value.replace(/<(\w+)>/, (_, known) => values.get(known));
        else [body, headers["Content-Type"]] = [line, "application/json"];
      }
      const response = await fetch(`${server.origin}${path}`, { method, headers, body });
      assert.equal(response.status, status, exchange);
      match(await response.json(), expected, values, exchange);
    }
    const claims = read(values.get("token"));
    assert.deepEqual([claims.dbo_id, claims.row_id, claims.extras], [1, values.get("id"), { name: "Loki" }]);
    const lifetime = claims.exp - Date.now() / 1_000;
    assert.ok(lifetime > 86_300 && lifetime <= 86_401, `it lasts 24 hours: ${lifetime}`);
  });

  test("its token is what the command line prints", async () => {
    const [line] = commands.filter((line) => line.startsWith("xano-realtime token "));
    const { stdout } = await run(binary, [...words(line).slice(1), "--data-dir", server.folder]);
    const [example] = blocks("json").map((block) => JSON.parse(block));
    const claims = read(stdout.trim());
    assert.deepEqual(Object.keys(claims), Object.keys(example));
    assert.deepEqual({ ...claims, exp: 0, jti: "" }, { ...example, exp: 0, jti: "" });
    assert.equal(claims.jti.length, example.jti.length);
    const client = await joined(`${server.origin.replace("http", "ws")}/rt/${server.hash}`, stdout.trim());
    assert.deepEqual(client.permissions, { dbo_id: example.dbo_id, row_id: example.row_id });
  });

  test("its server takes the tokens of an issuer whose key it has", async (t) => {
    const key = issuer("any");
    const own = join(folder, "pem");
    await mkdir(own);
    await writeFile(join(own, "issuer.pem"), key.pem);
    const bearer = await serve(t, commands.find((line) => line.includes("--token-key")), own);
    const { extras, permissions } = await bearer(key.token({ sub: "auth0|thor", meta: { name: "Thor" } }));
    assert.deepEqual([extras, permissions], [{ name: "Thor" }, { dbo_id: 4, row_id: "auth0|thor" }]);
    assert.equal(await bearer(issuer("any").token({ sub: "7" })), "invalid_token");
  });

  test("its server takes the tokens of an issuer that lists its keys, for it alone", async (t) => {
    const keys = Object.keys(KINDS).map((alg) => issuer(`2026-${alg}`, alg));
    const [key] = keys;
    const others = [{ kty: "oct", k: "c2VjcmV0" }, { ...issuer("other").jwk, use: "enc" }];
    const list = createServer((_, response) => {
      response.end(JSON.stringify({ keys: [...others, ...keys.map(({ jwk }) => jwk)] }));
    });
    await once(list.listen(0, "127.0.0.1"), "listening");
    t.after(() => list.close());
    const own = join(folder, "jwks");
    await mkdir(own);
    const line = commands.find((line) => line.includes("--token-jwks"));
    const address = "https://issuer.example/.well-known/jwks.json";
    assert.ok(line.includes(address));
    const bearer = await serve(t, line.replace(address, `http://127.0.0.1:${list.address().port}/jwks.json`), own);
    const claims = { iss: "https://issuer.example/", aud: ["mail", "chat"], sub: "7" };
    for (const { token } of keys) {
      assert.deepEqual((await bearer(token(claims))).permissions, { dbo_id: 4, row_id: 7 });
    }
    for (const wrong of [{ aud: "mail" }, { aud: undefined }, { iss: "https://other.example/" }]) {
      assert.equal(await bearer(key.token({ ...claims, ...wrong })), "invalid_token");
    }
  });

  test("its other commands and options exist", async (t) => {
    const others = commands.filter((line) => !/ token |--token-(key|jwks)/.test(line));
    assert.equal(others.length, 1);
    const own = join(folder, "other");
    await mkdir(own);
    await serve(t, others[0], own);
    const help = (await Promise.all(["serve", "token"].map((name) => run(binary, [name, "--help"])))).map(({ stdout }) => stdout).join();
    const options = new Set(page.match(/--[a-z][a-z-]+/g));
    assert.ok(options.size >= 12, [...options].join(" "));
    for (const option of options) assert.match(help, new RegExp(`${option}\\b`));
  });
});
