import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";

import { Server } from "../e2e/support/server.js";
import { Client, play } from "./transcript.js";

const page = await readFile(new URL("../../docs/triggers.md", import.meta.url), "utf8");
const blocks = (language) => [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);

/** The page's webhook as a process of its own. */
class Hook {
  #process;
  #folder;

  static async start(secret) {
    const hook = new Hook();
    hook.#folder = await mkdtemp(join(tmpdir(), "xano-hook-"));
    const file = join(hook.#folder, "hook.mjs");
    await writeFile(file, blocks("js")[0]);
    const env = { ...process.env, SECRET: secret, PORT: "0" };
    hook.#process = spawn(process.execPath, [file], { env, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: hook.#process.stdout }), "line");
    hook.url = `http://127.0.0.1:${/port (\d+)$/.exec(line)[1]}/`;
    return hook;
  }

  async stop() {
    this.#process.kill();
    await once(this.#process, "exit");
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Asks the Metadata API; the status and the body. */
async function ask(server, method, path, body) {
  const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" };
  const response = await fetch(`${server.origin}${path}`, { method, headers, body });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

/** The same value with `"<name>"` where `expected` has one. */
function blur(value, expected) {
  if (typeof expected === "string" && /^<.+>$/.test(expected) && typeof value === "string") return expected;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, blur(item, expected?.[key])]));
}

const TRIGGERS = "/channel/trigger";

describe("docs/triggers.md is what the server does", () => {
  let server;
  let url;

  before(async () => {
    server = await Server.start({ options: ["--allow-private-triggers"] });
    url = `${server.origin.replace("http", "ws")}/rt/${server.hash}`;
  });
  after(() => server?.dispose());

  test("its requests are answered as it says", async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    const requests = blocks("http");
    assert.equal(requests.length, 3);
    const secrets = new Set();
    for (const block of requests) {
      const [, method, path, body, status, answer] = /^(\w+) (\S+)\n(.*?)\n?\n(\d+)\n(.*)$/s.exec(block);
      const actual = await ask(server, method, path, body || undefined);
      assert.equal(actual.status, Number(status), block);
      assert.deepEqual(blur(actual.body, JSON.parse(answer)), JSON.parse(answer));
      if (actual.body.secret) secrets.add(actual.body.secret);
    }
    assert.equal(secrets.size, 2, "a new secret is another one");
    for (const secret of secrets) assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  });

  test("its webhook checks the signature, and does what it says", async (t) => {
    assert.ok(blocks("js")[0].split("\n").length <= 26, "it is short");
    const settings = { channel_id: 1, name: "page", url: "http://127.0.0.1:1/", actions: { join: true, message: true } };
    const trigger = await server.admin("POST", TRIGGERS, settings);
    t.after(() => server.admin("DELETE", `${TRIGGERS}/${trigger.id}`));
    const hook = await Hook.start(trigger.secret);
    t.after(() => hook.stop());
    assert.equal((await fetch(hook.url, { method: "POST", body: "{}" })).status, 401);
    const forged = { "webhook-id": "1", "webhook-timestamp": String(Math.floor(Date.now() / 1000)), "webhook-signature": `v1,${"A".repeat(43)}=` };
    assert.equal((await fetch(hook.url, { method: "POST", body: "{}", headers: forged })).status, 401);
    await server.admin("PUT", `${TRIGGERS}/${trigger.id}`, { ...settings, url: hook.url });
    await play(blocks("transcript")[0], url);

    await server.admin("POST", `${TRIGGERS}/${trigger.id}/secret`);
    const client = await Client.open(url);
    client.send({ action: "join", options: { channel: "marvel-chat-room" }, payload: null });
    assert.equal((await client.read("error")).payload.code, "trigger_failed", "the old secret is void");
    client.end();
  });

  test("a webhook's own words reach the client", async (t) => {
    const hook = createServer((request, response) => response.writeHead(503).end('{"message":"Not before noon."}'));
    await once(hook.listen(0, "127.0.0.1"), "listening");
    t.after(() => hook.close());
    const settings = { channel_id: 1, name: "words", url: `http://127.0.0.1:${hook.address().port}/`, actions: { join: true } };
    const { id } = await server.admin("POST", TRIGGERS, settings);
    t.after(() => server.admin("DELETE", `${TRIGGERS}/${id}`));
    await play(blocks("transcript fails")[0], url);
  });

  test("a webhook is told what the page's example says, and nothing else", async (t) => {
    const told = [];
    const hook = createServer(async (request, response) => {
      told.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
      response.end();
    });
    await once(hook.listen(0, "127.0.0.1"), "listening");
    t.after(() => hook.close());
    const settings = { channel_id: 1, name: "told", url: `http://127.0.0.1:${hook.address().port}/`, actions: { message: true } };
    const { id } = await server.admin("POST", TRIGGERS, settings);
    t.after(() => server.admin("DELETE", `${TRIGGERS}/${id}`));
    const example = JSON.parse(blocks("json")[0]);
    const { extras, permissions } = example.client;
    const args = ["token", "--table-id", String(permissions.dbo_id), "--row-id", permissions.row_id];
    args.push("--extras", JSON.stringify(extras), "--data-dir", server.folder);
    const token = (await promisify(execFile)(process.env.XANO_SERVER_BIN, args)).stdout.trim();
    const client = await Client.open(url, token);
    client.send({ action: "join", options: { channel: example.channel }, payload: null });
    const { socketId } = (await client.read("join")).payload;
    client.send({ action: "message", options: { channel: example.channel, id: example.options.id }, payload: example.payload });
    assert.equal((await client.read("message")).action, "message");
    assert.deepEqual(told, [{ ...example, client: { ...example.client, socketId } }]);
    client.end();
  });
});

describe("the Metadata API's triggers", () => {
  let server;
  let channel;
  const hookUrl = "https://hooks.example.com/chat";

  before(async () => {
    server = await Server.start({ demo: false });
  });
  after(() => server?.dispose());
  beforeEach(async () => {
    const channels = [{ pattern: "asked", anonymous_clients: true, client_public_messaging: true }];
    [{ id: channel }] = (await server.admin("PUT", "", { enabled: true, channels })).channels;
  });

  test("they are made, listed, changed and removed", async () => {
    assert.deepEqual(await server.admin("GET", TRIGGERS), { items: [], nextPage: null });
    const { secret, ...made } = await server.admin("POST", TRIGGERS, { channel_id: channel, name: "first", url: hookUrl });
    assert.ok(secret.startsWith("whsec_"));
    assert.match(made.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual([made.active, made.tag, made.actions], [true, [], { join: false, message: false }]);
    const { secret: _, ...second } = await server.admin("POST", TRIGGERS, { channel_id: channel, name: "second", url: hookUrl });
    assert.deepEqual(await server.admin("GET", `${TRIGGERS}/${made.id}`), made);
    assert.deepEqual(await server.admin("GET", `${TRIGGERS}?per_page=1`), { items: [made], nextPage: 2 });
    assert.deepEqual(await server.admin("GET", `${TRIGGERS}?search=sec`), { items: [second], nextPage: null });
    const changed = { ...made, active: false, tag: ["a"], actions: { join: true, message: false } };
    const { updated_at, ...rest } = await server.admin("PUT", `${TRIGGERS}/${made.id}`, changed);
    assert.deepEqual({ ...rest, updated_at: made.updated_at }, changed);
    assert.ok(updated_at >= made.updated_at);
    await server.admin("DELETE", `${TRIGGERS}/${made.id}`);
    assert.deepEqual((await server.admin("GET", TRIGGERS)).items, [second]);
  });

  test("they outlive a restart and a change of the settings, and go with their channel", async () => {
    const { secret: _, ...made } = await server.admin("POST", TRIGGERS, { channel_id: channel, name: "stays", url: hookUrl });
    await server.stop();
    await server.restart();
    const settings = await server.admin("GET", "");
    assert.doesNotMatch(JSON.stringify(settings), /whsec_|stays/);
    await server.admin("PUT", "", settings);
    assert.deepEqual((await server.admin("GET", TRIGGERS)).items, [made]);
    await server.admin("DELETE", `/channel/${channel}`);
    assert.deepEqual((await server.admin("GET", TRIGGERS)).items, []);
  });

  test("a mistake is named", async () => {
    const check = async (method, path, body, status, words) => {
      const answer = await ask(server, method, `/api:meta/workspace/1/realtime${TRIGGERS}${path}`, JSON.stringify(body));
      assert.deepEqual([answer.status, words.test(answer.body.message)], [status, true], answer.body.message);
    };
    const right = { channel_id: channel, name: "x", url: hookUrl };
    await check("POST", "", { ...right, channel_id: 99_999 }, 400, /no channel with the id 99999; GET/);
    await check("POST", "", { ...right, url: "hooks.example.com" }, 400, /url: .*must begin with https/);
    await check("POST", "", { ...right, url: "ftp://hooks.example.com/" }, 400, /must begin with https/);
    await check("POST", "", { ...right, url: "https://me:pw@hooks.example.com/" }, 400, /user name or a password/);
    await check("POST", "", { ...right, url: "http://localhost:3000/" }, 400, /--allow-private-triggers/);
    await check("POST", "", { ...right, url: "http://[fd00::1]/" }, 400, /not an address of the public internet/);
    await check("POST", "", { ...right, url: `https://x.y/${"a".repeat(2_048)}` }, 400, /url has \d+ characters; 1 to 2048/);
    await check("POST", "", { ...right, name: "" }, 400, /name has 0 characters; 1 to 255/);
    await check("POST", "", { ...right, actions: { joins: true } }, 400, /unknown field `joins`/);
    await check("POST", "", { ...right, secret: "mine" }, 400, /unknown field `secret`/);
    await check("POST", "", { name: "x", url: hookUrl }, 400, /missing field `channel_id`/);
    for (const [method, path] of [["GET", ""], ["DELETE", ""], ["POST", "/secret"]]) {
      await check(method, `/99999${path}`, undefined, 404, /no trigger with this id/);
    }
    await check("PUT", "/99999", right, 404, /no trigger with this id/);
    for (let n = 0; n < 10; n++) await server.admin("POST", TRIGGERS, { ...right, name: `${n}` });
    await check("POST", "", right, 400, /has 10 triggers, and cannot have more/);
    const answer = await fetch(`${server.origin}/api:meta/workspace/1/realtime${TRIGGERS}`);
    assert.equal(answer.status, 401);
  });

  test("a change holds for the next message of who is there already", async (t) => {
    const asked = [];
    const hook = createServer((request, response) => {
      asked.push(request.url);
      response.end("false");
    });
    await once(hook.listen(0, "127.0.0.1"), "listening");
    t.after(() => hook.close());
    const server = await Server.start({ options: ["--allow-private-triggers"] });
    t.after(() => server.dispose());
    const client = await Client.open(`${server.origin.replace("http", "ws")}/rt/${server.hash}`);
    const [{ id: channel_id }] = (await server.admin("GET", "")).channels;
    const say = async (payload) => {
      client.send({ action: "message", options: { channel: "marvel-chat-room" }, payload });
      const { action, payload: answer } = await client.read("answer");
      return action === "error" ? answer.code : answer;
    };
    client.send({ action: "join", options: { channel: "marvel-chat-room" }, payload: null });
    assert.equal((await client.read("join")).action, "join");
    assert.equal(await say("one"), "one");
    const url = `http://127.0.0.1:${hook.address().port}`;
    const settings = { channel_id, name: "x", actions: { message: true } };
    const { id } = await server.admin("POST", TRIGGERS, { ...settings, url: `${url}/a` });
    assert.equal(await say("two"), "message_refused");
    await server.admin("PUT", `${TRIGGERS}/${id}`, { ...settings, url: `${url}/b` });
    assert.equal(await say("three"), "message_refused");
    await server.admin("PUT", `${TRIGGERS}/${id}`, { ...settings, url: `${url}/c`, active: false });
    assert.equal(await say("four"), "four");
    await server.admin("DELETE", `${TRIGGERS}/${id}`);
    assert.equal(await say("five"), "five");
    assert.deepEqual(asked, ["/a", "/b"]);
    client.end();
  });
});
