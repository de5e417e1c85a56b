import assert from "node:assert/strict";
import { test } from "node:test";

import { OPEN } from "./api.js";

export function settings(context) {
  test("realtime is switched on and off, and clients notice at once", async () => {
    const { api } = context;
    const client = await api.joined();
    assert.equal((await api.ok("PUT", "", { enabled: false })).enabled, false);
    assert.equal((await client.read("error")).payload.code, "unknown_hash");
    assert.equal(await client.closed(), 4404);
    assert.equal((await api.ok("PUT", "", { enabled: true })).channels.length, 1);
    (await api.joined()).end();
  });

  test("a new hash ends the old one", async () => {
    const { api } = context;
    const client = await api.joined();
    const before = api.server.hash;
    ({ hash: api.server.hash } = await api.ok("POST", "/hash"));
    assert.match(api.server.hash, /^[\w-]{27}$/);
    assert.notEqual(api.server.hash, before);
    assert.equal(await client.closed(), 4404);
    (await api.joined()).end();
    ({ hash: api.server.hash } = await api.ok("PUT", "", { hash: "my-project" }));
    (await api.joined()).end();
  });

  test("what was read can be written back, on another server too", async () => {
    const { api } = context;
    await api.ok("PUT", "", { channels: [{ ...OPEN, id: 68327953636970 }, { pattern: "chat/*", wildcard: true }] });
    const read = await api.ok("GET", "");
    assert.deepEqual(Object.keys(read), ["enabled", "hash", "channels"]);
    assert.deepEqual(read.channels.map(({ id }) => id), [68327953636970, 68327953636971]);
    await api.ok("PUT", "", { channels: [] });
    assert.deepEqual(await api.ok("PUT", "", read), read);
  });

  test("settings outlive a restart", async () => {
    const { api } = context;
    const before = await api.ok("GET", "");
    await api.server.stop();
    await api.server.restart();
    assert.deepEqual(await api.ok("GET", ""), before);
  });

  test("a mistake in the settings is named, and nothing changes", async () => {
    const { api } = context;
    const before = await api.ok("GET", "");
    const check = async (body, param, words) => {
      const refused = await api.refused(400, words, "PUT", "", body);
      assert.equal(refused.payload?.param, param, refused.message);
    };
    await check("{", undefined, /not JSON/);
    await check("{} {}", undefined, /not JSON: trailing characters/);
    await check("[true]", undefined, /invalid type: sequence, expected an object/);
    await check({ channels: [["open"]] }, "channels[0]", /invalid type: sequence, expected an object/);
    await check({ enable: true }, "enable", /unknown field `enable`, expected one of `enabled`/);
    await check({ enabled: "yes" }, "enabled", /^enabled: invalid type: string "yes", expected a boolean/);
    await check('{"enabled":true,"enabled":false}', undefined, /duplicate field `enabled`/);
    await check({ hash: "a b" }, "hash", /1 to 64 letters/);
    await check({ hash: "" }, "hash", /1 to 64 letters/);
    await check({ channels: [OPEN, {}] }, "channels[1].pattern", /is missing/);
    await check({ channels: [{ ...OPEN, history: 99 }] }, "channels[0].history", /one of 0, 25, 50/);
    await check({ channels: [{ ...OPEN, presence: 1 }] }, "channels[0].presence", /expected a boolean/);
    await check({ channels: [OPEN, { ...OPEN, presense: true }] }, "channels[1].presense", /unknown field `presense`/);
    await check({ channels: [{ ...OPEN, id: 3 }, OPEN, { pattern: "b", id: 3 }] }, "channels[2].id", /channels\[0\] has the same id/);
    await check({ channels: [{ ...OPEN, id: 2 ** 53 }] }, "channels[0].id", /at most 2\^53 - 1/);
    await check({ channels: [{ ...OPEN, id: -1 }] }, "channels[0].id", /invalid value/);
    await check({ channels: Array(10_001).fill({ pattern: "a" }) }, "channels", /at most 10000/);
    assert.deepEqual(await api.ok("GET", ""), before);
  });
}
