import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { Api, OPEN } from "./api.js";

const header = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url"));

/** These tests change keys, so they have a server of their own; `context` hears which operations they have carried out. */
export function keys(context) {
  const start = async (t, options) => {
    const api = await Api.start(options);
    t.after(() => api.dispose());
    api.contract.carriedOut = context.api.contract.carriedOut;
    await api.ok("PUT", "", { enabled: true, channels: [OPEN, { pattern: "members" }] });
    return api;
  };
  const token = (api, row) => api.command("token", "--table-id", "1", "--row-id", String(row));
  /** Whether its bearer may join a channel that is not for everybody. */
  const isGood = async (api, token) => {
    const client = await api.connect(token);
    client.send({ action: "join", options: { channel: "members" }, payload: {} });
    const { action, payload } = await client.read();
    client.end();
    if (action === "error") assert.equal(payload.code, "invalid_token");
    return action === "join";
  };
  const list = async (api) => (await api.ok("GET", "/key")).items;

  test("there is one key at first, which signs what the command line prints", async (t) => {
    const api = await start(t);
    const [key, ...others] = await list(api);
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(key), ["id", "kid", "created_at", "retired_at"]);
    assert.deepEqual([key.id, key.retired_at], [1, null]);
    assert.ok(Math.abs(Date.parse(key.created_at) - Date.now()) < 60_000);
    assert.deepEqual(header(await token(api, 1)), { typ: "JWT", alg: "HS256", kid: key.kid });
  });

  test("a new key signs from the next token on, and the tokens before stay good", async (t) => {
    const api = await start(t);
    const [first] = await list(api);
    const account = { name: "Thor", email: "thor@example.com", password: "by my hammer" };
    const ask = async (path) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${api.server.origin}/api:main/auth/${path}`, { method: "POST", headers, body: JSON.stringify(account) });
      return (await answer.json()).authToken;
    };
    const before = [await ask("signup"), await token(api, 2)];
    const added = await api.ok("POST", "/key");
    assert.deepEqual(await list(api), [{ ...first, retired_at: added.created_at }, added]);
    assert.deepEqual([added.id, added.retired_at], [2, null]);
    const after = [await ask("login"), await token(api, 2)];
    assert.deepEqual(before.map((one) => header(one).kid), [first.kid, first.kid]);
    assert.deepEqual(after.map((one) => header(one).kid), [added.kid, added.kid]);
    for (const one of [...before, ...after]) assert.ok(await isGood(api, one));
  });

  test("who is connected notices nothing when keys are changed", async (t) => {
    const api = await start(t);
    const client = await api.joined({ row: 1 });
    const add = () => api.ok("POST", "/key");
    await add();
    await add();
    await api.ok("DELETE", "/key/1");
    client.send({ action: "message", options: { channel: "open" }, payload: "still here" });
    const frame = await client.read("message");
    assert.deepEqual([frame.payload, frame.client.permissions], ["still here", { dbo_id: 1, row_id: 1 }]);
    client.end();
  });

  test("what a removed key has signed is refused from then on, after a restart too", async (t) => {
    const api = await start(t);
    const old = await token(api, 1);
    await api.ok("POST", "/key");
    const current = await token(api, 1);
    assert.equal(await api.ok("DELETE", "/key/1"), null);
    const check = async () => assert.deepEqual([await isGood(api, old), await isGood(api, current)], [false, true]);
    await check();
    await api.server.stop();
    await api.server.restart();
    await check();
    await api.refused(404, /no signing key with this id/, "DELETE", "/key/1");
  });

  test("the key that signs cannot be removed, were it the only one or not", async (t) => {
    const api = await start(t);
    await api.refused(400, /signs the tokens that are given out now; make a new one first/, "DELETE", "/key/1");
    await api.ok("POST", "/key");
    await api.refused(400, /signs the tokens/, "DELETE", "/key/2");
    await api.ok("DELETE", "/key/1");
    await api.refused(400, /signs the tokens/, "DELETE", "/key/2");
    assert.equal((await list(api)).length, 1);
  });

  test("there may be 16 keys", async (t) => {
    const api = await start(t);
    for (let n = 1; n < 16; n += 1) await api.ok("POST", "/key");
    await api.refused(400, /there are 16 signing keys/, "POST", "/key");
    await api.ok("DELETE", "/key/5");
    assert.equal((await api.ok("POST", "/key")).id, 17, "no id is given twice");
  });

  test("a key of an earlier version signs on, and is nowhere to be read but in the settings", async (t) => {
    const key = Buffer.alloc(32, "k");
    const api = await start(t, { key });
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const message = `${part({ alg: "HS256" })}.${part({ dbo_id: 1, row_id: 1, exp: Math.floor(Date.now() / 1_000) + 60 })}`;
    const legacy = `${message}.${createHmac("sha256", key).update(message).digest("base64url")}`;
    assert.ok(await isGood(api, legacy));
    await assert.rejects(readFile(join(api.server.folder, "signing-key")), { code: "ENOENT" });
    await api.ok("POST", "/key");
    const answers = [await api.ok("GET", "/key"), await api.ok("GET", "")].map((one) => JSON.stringify(one)).join();
    for (const form of ["base64url", "base64", "hex", "utf8"]) assert.ok(!answers.includes(key.toString(form)), form);
    assert.ok(await isGood(api, legacy));
    await api.ok("DELETE", "/key/1");
    assert.ok(!(await isGood(api, legacy)));
  });
}
