import assert from "node:assert/strict";
import { test } from "node:test";

import { OPEN } from "./api.js";

const SCRIPT = `// One chat for each subject
realtime_channel "chat/*" {
  description = "The \\"chats\\""
  public_messaging = {active: true, auth: false}
  private_messaging = {active: false, auth: false}
  settings = {
    anonymous_clients: true, nested_channels: true
    message_history: 50
    auth_channel: false
    presence: false
  }
}
`;

export function channels(context) {
  const xanoscript = { type: "text/x-xanoscript" };
  const withScript = "?include_xanoscript=true";

  test("channels are added, listed, changed and removed, and what changes holds for who is there", async () => {
    const { api } = context;
    const added = await api.ok("POST", "/channel", { ...OPEN, pattern: "chat/*", wildcard: true, history: "50" });
    assert.deepEqual(
      { id: added.id > 0, history: added.history, enabled: added.enabled, description: added.description },
      { id: true, history: 50, enabled: true, description: "" },
    );
    assert.deepEqual(await api.ok("GET", `/channel/${added.id}`), added);
    const client = await api.joined({ channel: "chat/1" });
    const closed = { ...added, anonymous_clients: false };
    assert.deepEqual(await api.ok("PUT", `/channel/${added.id}`, closed), closed);
    assert.equal((await client.read("error")).payload.code, "anonymous_join_refused");
    assert.equal((await client.read("leave")).action, "leave");
    assert.equal(await api.ok("DELETE", `/channel/${added.id}`), null);
    client.send({ action: "join", options: { channel: "chat/1" }, payload: {} });
    assert.equal((await client.read("error")).payload.code, "channel_not_found");
    client.end();
    for (const method of ["GET", "DELETE"]) await api.refused(404, /no channel with this id/, method, `/channel/${added.id}`);
    await api.refused(404, /no channel with this id/, "PUT", `/channel/${added.id}`, OPEN);
    await api.refused(404, /no row with an id so large/, "GET", "/channel/18446744073709551615");
  });

  test("the list comes in pages", async () => {
    const { api } = context;
    const rows = ["b", "a", "Chat", "c"].map((pattern) => ({ pattern, description: `Room ${pattern}` }));
    await api.ok("PUT", "", { channels: rows });
    const names = ({ items }) => items.map(({ pattern }) => pattern);
    const first = await api.ok("GET", "/channel?per_page=3&branch=live");
    assert.deepEqual([names(first), first.nextPage], [["b", "a", "Chat"], 2]);
    const second = await api.ok("GET", "/channel?per_page=3&page=2");
    assert.deepEqual([names(second), second.nextPage], [["c"], null]);
    assert.deepEqual(names(await api.ok("GET", "/channel?page=3")), []);
    assert.deepEqual(names(await api.ok("GET", "/channel?search=chat")), ["Chat"]);
    assert.deepEqual(names(await api.ok("GET", "/channel?search=ROOM%20c")), ["Chat", "c"]);
    await api.refused(400, /pages count from 1/, "GET", "/channel?page=0");
    await api.refused(400, /must be 1 to 1000/, "GET", "/channel?per_page=1001");
    await api.refused(400, /per_page: invalid digit/, "GET", "/channel?per_page=all");
    await api.refused(400, /include_xanoscript: must be true or false/, "GET", "/channel?include_xanoscript=maybe");
  });

  test("of two channels with one pattern the older decides", async () => {
    const { api } = context;
    const second = await api.ok("POST", "/channel", { pattern: "open" });
    (await api.joined()).end();
    const [first] = (await api.ok("GET", "/channel?search=open")).items;
    await api.ok("DELETE", `/channel/${first.id}`);
    const client = await api.connect();
    client.send({ action: "join", options: { channel: "open" }, payload: {} });
    assert.equal((await client.read("error")).payload.code, "anonymous_join_refused");
    client.end();
    assert.ok(second.id > first.id);
  });

  test("Xano's tools write a channel as XanoScript and read it back", async () => {
    const { api } = context;
    const added = await api.ok("POST", `/channel${withScript}`, SCRIPT, xanoscript);
    const { id, name, active, xanoscript: script, ...plain } = added;
    assert.deepEqual([name, active, script.status], ["chat/*", true, "ok"]);
    assert.deepEqual(plain, {
      pattern: "chat/*",
      wildcard: true,
      description: 'The "chats"',
      enabled: true,
      anonymous_clients: true,
      presence: false,
      history: 50,
      client_public_messaging: true,
      client_public_messaging_authenticated_only: false,
      client_authenticated_messaging: false,
      client_private_messaging: false,
      client_private_messaging_authenticated_only: false,
    });
    assert.equal(
      script.value,
      `realtime_channel "chat/*" {
  description = "The \\"chats\\""
  public_messaging = {auth: false}
  private_messaging = {active: false}
  settings = {
    anonymous_clients: true
    nested_channels  : true
    message_history  : 50
    auth_channel     : false
    presence         : false
  }
}`,
    );
    const found = await api.ok("GET", `/channel${withScript}&page=1&per_page=20&search=chat`);
    assert.deepEqual(found.items, [added]);
    assert.deepEqual(await api.ok("GET", `/channel/${id}`), { id, ...plain });
    assert.deepEqual(await api.ok("PUT", `/channel/${id}${withScript}`, script.value, xanoscript), added);
    const off = script.value.replace("{\n", "{\n  active = false\n");
    const changed = await api.ok("PUT", `/channel/${id}${withScript}`, off, { type: "text/x-xanoscript; charset=utf-8" });
    assert.deepEqual([changed.active, changed.enabled], [false, false]);
    assert.match(changed.xanoscript.value, /\n {2}active = false\n/);
    (await api.joined()).end();
  });

  test("a mistake in a script is told with its place", async () => {
    const { api } = context;
    const check = async (script, line, col, words) => {
      const refused = await api.refused(400, words, "POST", "/channel", script, xanoscript);
      assert.equal(refused.code, "ERROR_CODE_SYNTAX_ERROR");
      assert.deepEqual(refused.payload, { line, col });
    };
    await check("", 0, 0, /^line 1, column 1: expected `realtime_channel`, found the end$/);
    await check(SCRIPT.replace("presence", "presense"), 9, 4, /line 10, column 5: `presense` is not known here; there are anonymous_clients/);
    await check(SCRIPT.replace("50", "51"), 7, 21, /message_history must be one of/);
    await check(SCRIPT.replace("chat/*", "chat?"), 1, 17, /not allowed/);
    await check("realtime_trigger moderate {\n  stack {}\n}", 0, 0, /triggers are webhooks; POST JSON/);
    const long = SCRIPT.replace("The ", "x".repeat(5000));
    assert.equal((await api.refused(400, /4096 are allowed/, "POST", "/channel", long, xanoscript)).payload.param, "description");
  });

  test("a mistake in a channel is named", async () => {
    const { api } = context;
    const check = async (body, param, words) => {
      const refused = await api.refused(400, words, "POST", "/channel", body);
      assert.equal(refused.payload?.param, param, refused.message);
    };
    await check({}, "pattern", /is missing/);
    await check({ pattern: " x" }, "pattern", /character that is not allowed/);
    await check({ pattern: "x", history: 99 }, "history", /one of 0, 25, 50/);
    await check({ pattern: "x", history: "99" }, "history", /one of 0, 25, 50/);
    await check({ pattern: "x", history: null }, "history", /invalid type: null, expected one of 0, 25/);
    await check({ pattern: "x", id: 7 }, "id", /leave it out/);
    await check({ pattern: "x", description: "ä".repeat(4097) }, "description", /has 4097 characters; 4096 are allowed/);
    await check({ pattern: "x", name: "y" }, "name", /another name for `pattern`, and they differ/);
    await check({ pattern: "x", active: true, enabled: false }, "active", /another name for `enabled`, and they differ/);
    await check({ pattern: "x", xanoscript: {} }, "xanoscript", /Content-Type text\/x-xanoscript/);
    const row = await api.ok("POST", "/channel", { name: "by-name", active: false, description: "As Xano's tools name it" });
    assert.deepEqual([row.pattern, row.enabled], ["by-name", false]);
    const refused = await api.refused(400, /is 1, but the address is that of channel/, "PUT", `/channel/${row.id}`, { ...row, id: 1 });
    assert.equal(refused.payload.param, "id");
  });
}
