import assert from "node:assert/strict";
import { test } from "node:test";

export function triggers(context) {
  const HOOK = "https://example.com/moderate";

  test("triggers are added, listed, changed and removed, and a secret is shown when it is made", async () => {
    const { api } = context;
    const [{ id: channel_id }] = (await api.ok("GET", "")).channels;
    const added = await api.ok("POST", "/channel/trigger", { name: "moderation", channel_id, url: HOOK, actions: { message: true } });
    const { secret, ...trigger } = added;
    assert.deepEqual([trigger.active, trigger.actions, trigger.tag], [true, { join: false, message: true }, []]);
    const at = `/channel/trigger/${trigger.id}`;
    assert.deepEqual(await api.ok("GET", at), trigger);
    assert.deepEqual(await api.ok("GET", "/channel/trigger?page=1&per_page=20&search=moder"), { items: [trigger], nextPage: null });
    const changed = await api.ok("PUT", at, { ...trigger, active: false, tag: ["a"] });
    assert.deepEqual([changed.active, changed.tag, changed.guid], [false, ["a"], trigger.guid]);
    const renewed = await api.ok("POST", `${at}/secret`);
    assert.notEqual(renewed.secret, secret);
    assert.equal(await api.ok("DELETE", at), null);
    for (const [method, path] of [["GET", at], ["DELETE", at], ["POST", `${at}/secret`]]) {
      await api.refused(404, /no trigger with this id/, method, path);
    }
    await api.refused(404, /no trigger with this id/, "PUT", at, trigger);
  });

  test("a mistake in a trigger is named", async () => {
    const { api } = context;
    const [{ id: channel_id }] = (await api.ok("GET", "")).channels;
    const check = (body, words) => api.refused(400, words, "POST", "/channel/trigger", { name: "x", channel_id, url: HOOK, ...body });
    await check({ channel_id: Number.MAX_SAFE_INTEGER }, /there is no channel with the id/);
    await check({ url: "http://127.0.0.1/" }, /url/);
    await check({ actions: { leave: true } }, /actions\.leave: unknown field `leave`/);
    const script = { type: "text/x-xanoscript" };
    const told = await api.refused(400, /triggers are webhooks; POST JSON/, "POST", "/channel/trigger", "realtime_trigger x {}", script);
    assert.equal(told.code, "ERROR_CODE_SYNTAX_ERROR");
  });
}
