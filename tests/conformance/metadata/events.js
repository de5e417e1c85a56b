import assert from "node:assert/strict";
import { test } from "node:test";

import { OPEN } from "./api.js";

export function events(context) {
  test("an event reaches its channel, its table or its row, and nobody else", async () => {
    const { api } = context;
    const [anonymous, thor, loki, other] = [
      await api.joined(),
      await api.joined({ row: 1 }),
      await api.joined({ row: "loki-2" }),
      await api.joined({ row: 1, table: 2 }),
    ];
    const everybody = [anonymous, thor, loki, other];
    const check = async (event, listeners, payload) => {
      assert.deepEqual(await api.ok("POST", "/event", { channel: "open", ...event }), { delivered_local: listeners.length });
      for (const client of listeners) {
        const frame = await client.read("event");
        assert.deepEqual([frame.action, frame.client, frame.options], ["event", null, { channel: "open" }]);
        assert.deepEqual(frame.payload, payload);
      }
    };
    await check({ data: { a: 1 } }, everybody, { data: { a: 1 }, dbo_id: 0, row_id: 0 });
    for (const none of [0, "0", "", null]) {
      await check({ data: 1, auth_table: none, auth_id: none }, everybody, { data: 1, dbo_id: 0, row_id: 0 });
      await check({ data: 1, auth_table: 2, auth_id: none }, [other], { data: 1, dbo_id: 2, row_id: 0 });
    }
    await check({ data: "t", auth_table: 1 }, [thor, loki], { data: "t", dbo_id: 1, row_id: 0 });
    await check({ data: null, auth_table: 1, auth_id: "loki-2" }, [loki], { data: null, dbo_id: 1, row_id: "loki-2" });
    await check({ data: 1, auth_table: "1", auth_id: "1" }, [thor], { data: 1, dbo_id: 1, row_id: 1 });
    await check({ data: 1, auth_table: 3 }, []);
    for (const client of everybody) {
      await client.hasReadAll("each");
      client.end();
    }
  });

  test("an event that is pushed again under its key reaches nobody twice, and no client can take the key", async () => {
    const { api } = context;
    const client = await api.joined({ row: 1 });
    // A message of this name, and an event of it, are two things.
    client.send({ action: "message", options: { channel: "open", id: "order-42" }, payload: "not the event" });
    assert.equal((await client.read("message")).action, "message");
    assert.equal((await client.read("ack")).action, "ack");
    for (const target of [{}, { auth_table: 1 }]) {
      const event = { channel: "open", data: target, idempotency_key: `order-42${target.auth_table ?? ""}`, ...target };
      assert.deepEqual(await api.ok("POST", "/event", event), { delivered_local: 1 });
      assert.deepEqual(await api.ok("POST", "/event", event), { delivered_local: 0 });
      assert.deepEqual((await client.read("event")).payload.data, target);
    }
    await client.hasReadAll("the client");
    client.end();
  });

  test("an event that was pushed, and its key, outlive a crash", async () => {
    const { api } = context;
    const event = { channel: "open", data: "kept", idempotency_key: "k".repeat(64) };
    const before = { channel: "open", data: "before", idempotency_key: "b" };
    await api.ok("POST", "/event", { events: [before, event] });
    await api.server.stop("SIGKILL");
    await api.server.restart();
    const client = await api.connect();
    client.send({ action: "join", options: { channel: "open" }, payload: { history: true } });
    assert.equal((await client.read("join")).action, "join");
    const { history } = (await client.read("history")).payload;
    assert.deepEqual(history.slice(-2).map(({ payload }) => payload.data), ["before", "kept"]);
    assert.deepEqual(await api.ok("POST", "/event", event), { delivered_local: 0 });
    await client.hasReadAll("the client");
    client.end();
  });

  test("an event without listeners is in the history of who comes next", async () => {
    const { api } = context;
    await api.ok("PUT", "", { channels: [{ ...OPEN, pattern: "later" }] });
    assert.deepEqual(await api.ok("POST", "/event", { channel: "later", data: "kept" }), { delivered_local: 0 });
    const client = await api.connect();
    client.send({ action: "join", options: { channel: "later" }, payload: { history: true } });
    assert.equal((await client.read("join")).payload.seq, 1);
    const { history } = (await client.read("history")).payload;
    assert.deepEqual(history.map((frame) => [frame.action, frame.payload.data, frame.seq]), [["event", "kept", 1]]);
    client.end();
  });

  test("a batch is pushed in order, and what is refused stops nothing behind it", async () => {
    const { api } = context;
    const client = await api.joined({ row: 1 });
    const first = Array.from({ length: 97 }, (_, index) => ({ channel: "open", data: index }));
    const last = [
      { channel: "nowhere", data: "refused" },
      { channel: "open", data: "mine", auth_table: 1, auth_id: 1 },
      { channel: "open", data: "another's", auth_table: 1, auth_id: 2 },
    ];
    const { results } = await api.ok("POST", "/event", { events: [...first, ...last] });
    const error = { code: "ERROR_CODE_INPUT_ERROR", message: "Channel not found." };
    const expected = [...first.map(() => ({ delivered_local: 1 })), { error }, { delivered_local: 1 }, { delivered_local: 0 }];
    assert.deepEqual(results, expected);
    for (const event of [...first, last[1]]) assert.equal((await client.read("event")).payload.data, event.data);
    await client.hasReadAll("the client");
    client.end();
  });

  test("a batch of the wrong form is refused as a whole", async () => {
    const { api } = context;
    const client = await api.joined();
    const good = { channel: "open", data: 1 };
    const check = async (events, param, words) => {
      const refused = await api.refused(400, words, "POST", "/event", { events });
      assert.equal(refused.payload?.param, param, refused.message);
    };
    await check([], "events", /1 to 100 events, not 0/);
    await check(Array(101).fill(good), "events", /1 to 100 events, not 101/);
    await check([good, ["open", 1]], "events[1]", /expected an object/);
    await check([good, { channel: "open" }], "events[1]", /missing field `data`/);
    await check([good, { ...good, chanel: "x" }], "events[1].chanel", /unknown field `chanel`/);
    await check([good, { ...good, channel: "a?" }], "events[1].channel", /not allowed/);
    await check([good, { ...good, idempotency_key: "" }], "events[1].idempotency_key", /has 0 characters/);
    await check([good, { ...good, auth_id: 5 }], "events[1].auth_id", /auth_table must name its table/);
    await api.refused(400, /unknown field `channel`/, "POST", "/event", { events: [good], ...good });
    await client.hasReadAll("the client");
    client.end();
  });

  test("a mistake in an event is named", async () => {
    const { api } = context;
    const check = async (event, param, words) => {
      const refused = await api.refused(400, words, "POST", "/event", { channel: "open", data: 1, ...event });
      assert.equal(refused.payload?.param, param, refused.message);
    };
    await check({ channel: "nowhere" }, undefined, /Channel not found/);
    await check({ channel: 5 }, "channel", /expected a string/);
    await check({ data: undefined }, undefined, /missing field `data`/);
    await check({ auth_id: 3 }, "auth_id", /auth_table must name its table/);
    await check({ auth_table: "users" }, "auth_table", /a table's number, not its name/);
    await check({ auth_table: -1 }, "auth_table", /expected a whole number/);
    await check({ auth_table: 1, auth_id: 1.5 }, "auth_id", /expected a whole number/);
    await check({ auth_table: 1, auth_id: "x".repeat(256) }, "auth_id", /255/);
    await check({ idempotency_key: "k".repeat(65) }, "idempotency_key", /has 65 characters; 1 to 64 are allowed/);
  });

  test("an event for nobody, while realtime is switched off, is refused and says why", async () => {
    const { api } = context;
    await api.ok("PUT", "", { enabled: false });
    await api.refused(400, /realtime is switched off; PUT {"enabled": true}/, "POST", "/event", { channel: "open", data: 1 });
  });

  test("an event carries up to 1 MiB", async () => {
    const { api } = context;
    const client = await api.joined();
    const data = "x".repeat(2 ** 20 - 2);
    assert.deepEqual(await api.ok("POST", "/event", { channel: "open", data }), { delivered_local: 1 });
    assert.equal((await client.read("event")).payload.data.length, data.length);
    const refused = await api.refused(400, /more than 1 MiB/, "POST", "/event", { channel: "open", data: `${data}x` });
    assert.equal(refused.payload.param, "data");
    client.end();
  });
}
