import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";

import { Server } from "../e2e/support/server.js";
import { Client } from "./transcript.js";

const OPEN = { pattern: "open", anonymous_clients: true, client_public_messaging: true, presence: true, history: 25 };

describe("the Metadata API", () => {
  let server;

  before(async () => {
    server = await Server.start({ demo: false });
  });
  after(() => server?.dispose());
  beforeEach(() => server.admin("PUT", "", { enabled: true, channels: [OPEN] }));

  const connect = (token) => Client.open(`${server.origin.replace("http", "ws")}/rt/${server.hash}`, token);
  const joined = async (token, channel = "open") => {
    const client = await connect(token);
    client.send({ action: "join", options: { channel }, payload: { history: false, presence: false } });
    assert.equal((await client.read("join")).action, "join");
    return client;
  };
  const refused = async (method, path, body, headers = { authorization: `Bearer ${server.adminToken}` }) => {
    const type = { "content-type": "application/json" };
    const url = `${server.origin}/api:meta/workspace/1/realtime${path}`;
    const response = await fetch(url, { method, headers: { ...type, ...headers }, body });
    return { status: response.status, ...(await response.json()) };
  };
  const token = async (row) => {
    const args = ["token", "--table-id", "1", "--row-id", String(row), "--data-dir", server.folder];
    return (await promisify(execFile)(process.env.XANO_SERVER_BIN, args)).stdout.trim();
  };

  test("realtime is switched on and off, and clients notice at once", async () => {
    const client = await joined();
    assert.equal((await server.admin("PUT", "", { enabled: false })).enabled, false);
    assert.equal((await client.read("error")).payload.code, "unknown_hash");
    assert.equal(await client.closed(), 4404);
    assert.equal((await server.admin("PUT", "", { enabled: true })).channels.length, 1);
    (await joined()).end();
  });

  test("a new hash ends the old one", async () => {
    const client = await joined();
    const before = server.hash;
    ({ hash: server.hash } = await server.admin("POST", "/hash"));
    assert.match(server.hash, /^[\w-]{27}$/);
    assert.notEqual(server.hash, before);
    assert.equal(await client.closed(), 4404);
    (await joined()).end();
    ({ hash: server.hash } = await server.admin("PUT", "", { hash: "my-project" }));
    (await joined()).end();
  });

  test("channels are added, listed, changed and removed, and what changes holds for who is there", async () => {
    const added = await server.admin("POST", "/channel", { ...OPEN, pattern: "chat/*", wildcard: true, history: "50" });
    assert.deepEqual(
      { id: added.id > 0, history: added.history, enabled: added.enabled, description: added.description },
      { id: true, history: 50, enabled: true, description: "" },
    );
    assert.deepEqual(await server.admin("GET", `/channel/${added.id}`), added);
    const client = await joined(undefined, "chat/1");
    const first = await server.admin("GET", "/channel?per_page=1");
    assert.deepEqual([first.items.length, first.nextPage], [1, 2]);
    assert.deepEqual(await server.admin("GET", "/channel?search=chat"), { items: [added], nextPage: null });
    const closed = { ...added, anonymous_clients: false };
    assert.deepEqual(await server.admin("PUT", `/channel/${added.id}`, closed), closed);
    assert.equal((await client.read("error")).payload.code, "anonymous_join_refused");
    assert.equal((await client.read("leave")).action, "leave");
    await server.admin("DELETE", `/channel/${added.id}`);
    client.send({ action: "join", options: { channel: "chat/1" }, payload: {} });
    assert.equal((await client.read("error")).payload.code, "channel_not_found");
    client.end();
  });

  test("what was read can be written back", async () => {
    const settings = await server.admin("GET", "");
    assert.deepEqual(await server.admin("PUT", "", settings), settings);
    assert.deepEqual(Object.keys(settings), ["enabled", "hash", "channels"]);
  });

  test("an event reaches its channel, its table or its row, and nobody else", async () => {
    const [anonymous, thor, loki] = [await joined(), await joined(await token(1)), await joined(await token(2))];
    const push = (event) => server.admin("POST", "/event", { channel: "open", ...event });
    const check = async (event, listeners, payload) => {
      assert.deepEqual(await push(event), { delivered_local: listeners.length });
      for (const client of listeners) {
        const frame = await client.read("event");
        assert.deepEqual([frame.action, frame.client, frame.options], ["event", null, { channel: "open" }]);
        assert.deepEqual(frame.payload, payload);
      }
    };
    await check({ data: { a: 1 } }, [anonymous, thor, loki], { data: { a: 1 }, dbo_id: 0, row_id: 0 });
    await check({ data: "t", auth_table: 1 }, [thor, loki], { data: "t", dbo_id: 1, row_id: 0 });
    await check({ data: null, auth_table: 1, auth_id: 2 }, [loki], { data: null, dbo_id: 1, row_id: 2 });
    await check({ data: 1, auth_table: 2 }, []);
    const once = { data: "once", idempotency_key: "key-1" };
    await check(once, [anonymous, thor, loki], { data: "once", dbo_id: 0, row_id: 0 });
    await push(once);
    for (const client of [anonymous, thor, loki]) {
      await client.hasReadAll("each");
      client.end();
    }
  });

  test("an event without listeners is in the history of who comes next", async () => {
    await server.admin("PUT", "", { channels: [{ ...OPEN, pattern: "later" }] });
    assert.deepEqual(await server.admin("POST", "/event", { channel: "later", data: "kept" }), { delivered_local: 0 });
    const client = await connect();
    client.send({ action: "join", options: { channel: "later" }, payload: { history: true } });
    assert.equal((await client.read("join")).payload.seq, 1);
    const { history } = (await client.read("history")).payload;
    assert.deepEqual(history.map((frame) => [frame.action, frame.payload.data, frame.seq]), [["event", "kept", 1]]);
    client.end();
  });

  test("who has no token, or another one, is refused", async () => {
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: server.adminToken }]) {
      const { status, code, message } = await refused("GET", "", undefined, headers);
      assert.deepEqual([status, code], [401, "ERROR_CODE_UNAUTHORIZED"]);
      assert.doesNotMatch(message, new RegExp(server.adminToken));
    }
  });

  test("a mistake is named", async () => {
    const check = async (method, path, body, status, words) => {
      const answer = await refused(method, path, typeof body === "string" ? body : JSON.stringify(body));
      assert.deepEqual([answer.status, words.test(answer.message)], [status, true], answer.message);
    };
    await check("PUT", "", "{", 400, /JSON/);
    await check("PUT", "", { enable: true }, 400, /unknown field `enable`/);
    await check("PUT", "", { hash: "a b" }, 400, /hash must have 1 to 64/);
    await check("PUT", "", { channels: [{}] }, 400, /missing field `pattern`/);
    await check("POST", "/channel", { pattern: " x" }, 400, /character that is not allowed/);
    await check("POST", "/channel", { pattern: "x", history: 99 }, 400, /history must be one of 0, 25/);
    await check("PUT", "/channel/999999", { pattern: "x" }, 404, /no channel with this id/);
    await check("DELETE", "/channel/999999", undefined, 404, /no channel with this id/);
    await check("POST", "/event", { channel: "nowhere", data: 1 }, 400, /Channel not found/);
    await check("POST", "/event", { channel: "open" }, 400, /missing field `data`/);
    await check("POST", "/event", { channel: "open", data: 1, auth_id: 3 }, 400, /auth_table must name its table/);
  });

  test("settings outlive a restart", async () => {
    const before = await server.admin("GET", "");
    await server.stop();
    await server.restart();
    assert.deepEqual(await server.admin("GET", ""), before);
  });
});
