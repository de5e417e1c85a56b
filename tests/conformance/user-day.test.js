import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";

import { Server } from "../e2e/support/server.js";
import { Client } from "./transcript.js";

const HQ = {
  pattern: "hq",
  presence: true,
  client_public_messaging: true,
  client_public_messaging_authenticated_only: true,
  client_private_messaging: true,
  client_private_messaging_authenticated_only: true,
};

/** Asks the default API group; the status and the answer's body. */
async function ask(server, method, path, { body, token, headers = {} } = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${server.origin}/api:main/auth${path}`, {
    method,
    headers: { "content-type": "application/json", ...authorization, ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

async function signUp(server, name) {
  const body = { name, email: `${name.toLowerCase()}@asgard.example`, password: `${name} is worthy` };
  const answer = await ask(server, "POST", "/signup", { body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual(Object.keys(answer.body), ["authToken"]);
  return answer.body.authToken;
}

async function enter(server, token) {
  const client = await Client.open(`${server.origin.replace("http", "ws")}/rt/${server.hash}`, token);
  client.send({ action: "join", options: { channel: "hq" }, payload: { history: false, presence: true } });
  return client;
}

describe("a user's day", () => {
  let server;

  before(async () => {
    server = await Server.start({ demo: false });
    await server.admin("PUT", "", { enabled: true, channels: [HQ] });
  });
  after(() => server?.dispose());

  test("from signing up to logging out", async () => {
    const stranger = await enter(server);
    assert.equal((await stranger.read("error")).payload.code, "anonymous_join_refused");

    const token = await signUp(server, "Thor");
    const { status, body: me } = await ask(server, "GET", "/me", { token });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(me), ["id", "created_at", "name", "email"]);
    assert.deepEqual([me.name, me.email], ["Thor", "thor@asgard.example"]);
    assert.ok(Math.abs(Date.now() - me.created_at) < 60_000);

    const thor = await enter(server, token);
    const joined = await thor.read("join");
    assert.deepEqual(joined.client.extras, { name: "Thor" });
    assert.deepEqual(joined.client.permissions, { dbo_id: 1, row_id: me.id });
    assert.deepEqual((await thor.read("presence_full")).payload.presence, [joined.client]);

    // Another one comes, with the token of a log-in this time.
    await signUp(server, "Loki");
    const body = { email: "LOKI@asgard.example", password: "Loki is worthy" };
    const { authToken } = (await ask(server, "POST", "/login", { body })).body;
    const loki = await enter(server, authToken);
    const { client: lokiSeen } = await loki.read("join");
    const { presence } = (await loki.read("presence_full")).payload;
    assert.deepEqual(presence.map(({ extras }) => extras.name).sort(), ["Loki", "Thor"]);
    const update = await thor.read("presence_update");
    assert.deepEqual(update.payload, { action: "join", presence: lokiSeen });

    thor.send({ action: "message", options: { channel: "hq" }, payload: "I am here." });
    for (const client of [thor, loki]) {
      const message = await client.read("message");
      assert.deepEqual([message.payload, message.client.extras.name], ["I am here.", "Thor"]);
    }
    const secret = { channel: "hq", socketId: joined.payload.socketId };
    loki.send({ action: "message", options: secret, payload: "just us" });
    const whispered = await thor.read("message");
    assert.deepEqual([whispered.payload, whispered.client], ["just us", lokiSeen]);

    // The backend has news for Thor alone.
    const event = { channel: "hq", data: { gold: 5 }, auth_table: 1, auth_id: me.id };
    assert.deepEqual(await server.admin("POST", "/event", event), { delivered_local: 1 });
    assert.deepEqual((await thor.read("event")).payload, { data: { gold: 5 }, dbo_id: 1, row_id: me.id });

    thor.end();
    const left = await loki.read("presence_update");
    assert.deepEqual(left.payload, { action: "leave", presence: joined.client });
    await loki.hasReadAll("loki");
    for (const client of [loki, stranger]) client.end();
  });

  test("a restart forgets nobody, and their tokens stay good", async () => {
    const token = await signUp(server, "Odin");
    await server.stop();
    await server.restart();
    const me = await ask(server, "GET", "/me", { token });
    assert.deepEqual([me.status, me.body.name], [200, "Odin"]);
    const odin = await enter(server, token);
    assert.equal((await odin.read("join")).client.permissions.row_id, me.body.id);
    odin.end();
  });

  test("who is not let in hears why, as from Xano", async () => {
    const check = async (method, path, options, status, code, words) => {
      const answer = await ask(server, method, path, options);
      assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
      assert.match(answer.body.message, words);
      assert.equal(answer.headers.get("access-control-allow-origin"), "*");
      return answer;
    };
    const taken = { name: "Thor II", email: "thor@ASGARD.example", password: "long enough" };
    await check("POST", "/signup", { body: taken }, 403, "ERROR_CODE_ACCESS_DENIED", /^This account is already in use\.$/);
    const wrong = { email: "thor@asgard.example", password: "not the right one" };
    await check("POST", "/login", { body: wrong }, 403, "ERROR_CODE_ACCESS_DENIED", /^Invalid Credentials\.$/);
    const missing = await check("POST", "/login", { body: {} }, 400, "ERROR_CODE_INPUT_ERROR", /^Missing param: email$/);
    assert.deepEqual([missing.body.param, missing.body.payload], ["email", { param: "email" }]);
    const bearer = await check("GET", "/me", {}, 401, "ERROR_CODE_UNAUTHORIZED", /Bearer/);
    assert.equal(bearer.headers.get("www-authenticate"), "Bearer");
    await check("GET", "/me", { token: "nonsense" }, 401, "ERROR_CODE_UNAUTHORIZED", /Bearer/);
    await check("GET", "/you", {}, 404, "ERROR_CODE_NOT_FOUND", /no such address/);
  });
});

describe("attempts to log in", () => {
  let server;

  before(async () => {
    server = await Server.start({ options: ["--auth-attempts", "2", "--trust-proxy", "127.0.0.0/8"] });
  });
  after(() => server?.dispose());

  const attempt = (address) => {
    const headers = address && { "x-forwarded-for": `203.0.113.250, ${address}` };
    return ask(server, "POST", "/login", { body: { email: "a@b.example", password: "a wild guess" }, headers });
  };

  test("are counted for each client of a trusted proxy, which cannot choose its address", async () => {
    for (const address of ["198.51.100.1", "198.51.100.2", undefined]) {
      assert.equal((await attempt(address)).status, 403);
      assert.equal((await attempt(address)).status, 403);
      const refused = await attempt(address);
      assert.deepEqual([refused.status, refused.body.code], [429, "ERROR_CODE_TOO_MANY_REQUESTS"]);
      const wait = Number(refused.headers.get("retry-after"));
      assert.ok(wait >= 1 && wait <= 30, `${wait}`);
      assert.equal(refused.headers.get("access-control-expose-headers"), "Retry-After");
    }
  });

  test("may come from a page of another origin", async () => {
    // Node's fetch does not let a test send these headers.
    const preflight = await new Promise((resolve, reject) => {
      const headers = { origin: "https://elsewhere.example", "access-control-request-method": "POST" };
      request(`${server.origin}/api:main/auth/login`, { method: "OPTIONS", headers }, resolve).on("error", reject).end();
    });
    preflight.resume();
    assert.equal(preflight.statusCode, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], "*");
    assert.match(preflight.headers["access-control-allow-methods"], /POST/);
    assert.match(preflight.headers["access-control-allow-headers"], /\*, Authorization/);
    assert.equal(preflight.headers["access-control-allow-credentials"], undefined);
  });
});

describe("a server that nobody can sign up on", () => {
  test("says so", async (t) => {
    const server = await Server.start({ options: ["--no-signup"] });
    t.after(() => server.dispose());
    const body = { name: "Thor", email: "thor@asgard.example", password: "long enough" };
    const answer = await ask(server, "POST", "/signup", { body });
    assert.deepEqual([answer.status, answer.body.message], [403, "Nobody can sign up on this server."]);
  });
});
