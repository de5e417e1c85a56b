import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";

import { OPEN } from "./api.js";

export function tokens(context) {
  test("who has no token, or another one, is refused", async () => {
    const { api } = context;
    const admin = api.server.adminToken;
    const wrong = [
      { token: null },
      { token: "wrong" },
      { token: `xrt_${"A".repeat(43)}` },
      { token: null, headers: { authorization: admin } },
      { token: null, headers: { authorization: `Basic ${admin}` } },
      { token: `${admin}x` },
      { token: "" },
    ];
    for (const options of wrong) {
      for (const path of ["", "/channel/1", "/token"]) {
        const { status, body } = await api.ask("GET", path, undefined, options);
        assert.deepEqual([status, body.code], [401, "ERROR_CODE_UNAUTHORIZED"]);
        assert.doesNotMatch(body.message, new RegExp(admin));
      }
    }
    await api.ok("GET", "", undefined, { token: null, headers: { authorization: `bearer ${admin}` } });
  });

  test("every operation takes the token with its scope and no other", async () => {
    const { api } = context;
    const all = { read: await api.accessToken("read"), update: await api.accessToken("update"), publish: await api.accessToken("publish") };
    for (const { path, method, security } of api.contract.operations) {
      if (security.length === 0) continue;
      const [{ token: needed }] = security;
      // The largest id that there can be, and a body that is none: nothing is done.
      const address = path.replace("{workspace_id}", "1").replace(/{\w+}/, String(Number.MAX_SAFE_INTEGER));
      for (const [scope, { token }] of Object.entries(all)) {
        const { status, headers, body } = await api.askAnywhere(method, address, method === "GET" ? undefined : "{", { token });
        const told = `${method} ${path} with the scope ${scope}: ${JSON.stringify(body)}`;
        if (needed.includes(scope)) {
          assert.ok(![401, 403].includes(status), told);
        } else {
          assert.deepEqual([status, body.code], [403, "ERROR_CODE_ACCESS_DENIED"], told);
          assert.match(headers.get("www-authenticate"), /insufficient_scope/, told);
          assert.match(body.message, needed.length ? new RegExp(`scope \`${needed[0]}\``) : /only the admin token/, told);
        }
      }
    }
    ({ hash: api.server.hash } = await api.ok("GET", ""));
    const both = await api.accessToken("publish", "read", "read");
    assert.deepEqual(both.scopes, ["read", "publish"]);
    await api.ok("GET", "/channel", undefined, both);
    assert.deepEqual(await api.ok("POST", "/event", { channel: "open", data: 1 }, both), { delivered_local: 0 });
    await api.refused(403, /does not have the scope `update`/, "POST", "/channel", OPEN, both);
  });

  test("an access token is shown once, listed, and revoked", async () => {
    const { api } = context;
    const before = (await api.ok("GET", "/token")).items;
    const { token, ...known } = await api.ok("POST", "/token", { name: "Backup ☁", scopes: ["read"], expires_in: 3_600 });
    assert.match(token, /^xrt_[\w-]{43}$/);
    assert.ok(Math.abs(Date.parse(known.created_at) - Date.now()) < 60_000);
    assert.equal(Date.parse(known.expires_at) - Date.parse(known.created_at), 3_600_000);
    assert.deepEqual([known.name, known.last_used_at], ["Backup ☁", null]);
    const list = async () => (await api.ok("GET", "/token")).items.slice(before.length);
    assert.deepEqual(await list(), [known]);
    await api.ok("GET", "", undefined, { token });
    const [{ last_used_at }] = await list();
    assert.ok(Math.abs(Date.parse(last_used_at) - Date.now()) < 60_000);
    await api.ok("GET", "", undefined, { token });
    assert.equal((await list())[0].last_used_at, last_used_at, "not every request is noted");
    const files = ["settings.db", "settings.db-wal"].map((name) => readFile(join(api.server.folder, name), "latin1"));
    for (const file of await Promise.all(files)) assert.ok(!file.includes(token.slice(4)), "the token itself is not kept");
    assert.equal(await api.ok("DELETE", `/token/${known.id}`), null);
    await api.refused(401, /must be `Bearer`/, "GET", "", undefined, { token });
    await api.refused(404, /no access token with this id/, "DELETE", `/token/${known.id}`);
    assert.deepEqual(await list(), []);
  });

  test("an access token ends at its time", async () => {
    const { api } = context;
    const { token } = await api.ok("POST", "/token", { name: "short", scopes: ["read"], expires_in: 1 });
    const deadline = Date.now() + 10_000;
    let answer = await api.ask("GET", "", undefined, { token });
    while (answer.status === 200 && Date.now() < deadline) answer = await api.ask("GET", "", undefined, { token });
    assert.equal(answer.status, 401);
    assert.match(answer.body.message, /has expired/);
    assert.match(answer.headers.get("www-authenticate"), /invalid_token/);
  });

  test("an access token is made on the command line while the server runs, and outlives a restart", async () => {
    const { api } = context;
    const token = await api.command("admin-token", "--name", "ci", "--scope", "publish,read", "--expires", "90d");
    assert.match(token, /^xrt_[\w-]{43}$/);
    const known = (await api.ok("GET", "/token")).items.at(-1);
    const lifetime = Date.parse(known.expires_at) - Date.parse(known.created_at);
    assert.deepEqual([known.name, known.scopes, lifetime], ["ci", ["read", "publish"], 90 * 86_400_000]);
    await api.ok("POST", "/event", { channel: "open", data: 1 }, { token });
    await api.server.stop();
    await api.server.restart();
    await api.ok("GET", "/channel", undefined, { token });
    await api.refused(403, /`update`/, "PUT", "", { enabled: false }, { token });
    const fails = async (words, ...args) => {
      const error = await api.command("admin-token", ...args).then(() => assert.fail("it was made"), (reason) => reason);
      assert.match(error.stderr, words);
    };
    await fails(/a name must have 1 to 100 characters/, "--name", "", "--scope", "read");
    await fails(/invalid value 'write'.*\n.*read, update, publish/, "--name", "ci", "--scope", "write");
    await fails(/--scope/, "--name", "ci");
    const elsewhere = join(api.server.folder, "elsewhere");
    const there = { server: { folder: elsewhere } };
    const error = await api.command.call(there, "admin-token", "--name", "ci", "--scope", "read").catch((reason) => reason);
    assert.match(error.stderr, /there is no .*settings\.db; a server creates it/);
  });

  test("a mistake in a new access token is named", async () => {
    const { api } = context;
    const check = async (body, param, words) => {
      const refused = await api.refused(400, words, "POST", "/token", { name: "x", scopes: ["read"], ...body });
      assert.equal(refused.payload?.param, param, refused.message);
    };
    await check({ name: "" }, "name", /1 to 100 characters/);
    await check({ name: "a\u0007" }, "name", /control character/);
    await check({ scopes: [] }, "scopes", /at least one of/);
    await check({ scopes: ["admin"] }, "scopes[0]", /unknown variant `admin`, expected one of `read`, `update`, `publish`/);
    await check({ expires_in: 0 }, "expires_in", /1 second to 100 years/);
    await check({ expires_in: 2 ** 53 }, "expires_in", /1 second to 100 years/);
    await check({ expires_in: -1 }, "expires_in", /expected u64/);
    await check({ expires_at: 1 }, "expires_at", /unknown field/);
  });

  test("a request is refused before its body is read", async () => {
    const { api } = context;
    const url = `${api.server.origin}/api:meta/workspace/1/realtime`;
    const headers = { authorization: "Bearer wrong", "content-type": "application/json", "content-length": 2 ** 20 };
    const started = request(url, { method: "PUT", headers, agent: false });
    started.flushHeaders();
    const [answer] = await once(started, "response");
    assert.equal(answer.statusCode, 401);
    started.destroy();
  });
}
