import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { Chat, waitFor } from "./chat.js";
import { HOST, InChromium, administer } from "./old-sdk.js";
import { Server } from "./server.js";

/** Everything a channel can have; each test takes a name of its own below it. */
const ALL = {
  pattern: "all/*",
  wildcard: true,
  anonymous_clients: true,
  presence: true,
  history: 25,
  client_public_messaging: true,
  client_authenticated_messaging: true,
  client_private_messaging: true,
};

function startServer() {
  const { XANO_TEST_CERT: cert, XANO_TEST_KEY: key } = process.env;
  assert.ok(cert && key, "XANO_TEST_CERT and XANO_TEST_KEY must name a certificate; `npm test` makes one");
  return Server.start({ options: ["--tls-cert", cert, "--tls-key", key] });
}

/**
 * What README.md of @xano/js-sdk 3.0.1 says of realtime, sentence by sentence, told where its people
 * are at home. Where the SDK itself does something else, the test says so: no server could make that
 * true.
 */
export function tellStories(home) {
  describe(`the unmodified @xano/js-sdk ${home.name}`, () => {
    let server;

    before(async () => {
      server = await startServer();
      await administer(server, "POST", "/channel", ALL);
    });
    after(async () => {
      await home.close();
      await server?.dispose();
    });

    /** Somebody who goes when the test is over. */
    const person = async (t, config) => {
      const someone = await home.open(server, config);
      t.after(() => someone.end());
      return someone;
    };
    const token = async (row, extras = {}) => {
      const options = ["--table-id", "1", "--row-id", String(row), "--extras", JSON.stringify(extras)];
      const args = ["token", ...options, "--data-dir", server.folder];
      return (await promisify(execFile)(process.env.XANO_SERVER_BIN, args)).stdout.trim();
    };
    const push = (event) => administer(server, "POST", "/event", event);

    test("connects, joins, and gets its message back as an action with its four parts", async (t) => {
      const thor = await (await person(t)).joins("all/first", { presence: true, history: true });
      await thor.do((me) => me.room.message({ message: "Hello world!" }));
      const action = await thor.until("message");
      assert.deepEqual(action.keys, ["action", "client", "options", "payload"]);
      assert.deepEqual(action.payload, { message: "Hello world!" });
      assert.deepEqual(action.options, { authenticated: false, socketId: null, channel: "all/first" });
      const [own] = await thor.presence();
      assert.deepEqual(action.client, own);
      assert.deepEqual([own.extras, own.permissions], [{}, { dbo_id: 0, row_id: 0 }]);
      assert.deepEqual((await thor.until("history")).payload, { history: [] });
    });

    test("sends the frames that the contract and the cases have", async (t) => {
      const thor = await (await person(t)).joins("all/frames", { presence: true });
      await thor.do((me) => {
        const [self] = me.room.getPresence();
        me.room.message(undefined);
        me.room.message("p", { authenticated: true });
        me.room.message("p", { socketId: "s", channel: "elsewhere", more: 1 });
        me.room.history();
        self.message("p");
        self.history();
        me.room.destroy();
      });
      const [{ socketId }] = await thor.presence();
      assert.deepEqual(await thor.sent(), [
        '{"action":"join","options":{"channel":"all/frames"},"payload":{"history":false,"presence":true}}',
        '{"action":"message","options":{"channel":"all/frames"},"payload":null}',
        '{"action":"message","options":{"authenticated":true,"channel":"all/frames"},"payload":"p"}',
        '{"action":"message","options":{"socketId":"s","channel":"all/frames","more":1},"payload":"p"}',
        '{"action":"history","options":{"channel":"all/frames"},"payload":null}',
        `{"action":"message","options":{"channel":"all/frames","socketId":"${socketId}"},"payload":"p"}`,
        `{"action":"history","options":{"channel":"all/frames","socketId":"${socketId}"},"payload":null}`,
        '{"action":"leave","options":{"channel":"all/frames"},"payload":null}',
      ]);
    });

    test("loses what README's first example says at once, and sends it with queueOfflineActions", async (t) => {
      // README: `queueOfflineActions` is true by default. The SDK takes what is left out for false.
      const thor = await person(t);
      await thor.do((me) => {
        me.room = me.open("all/example");
        me.room.message({ message: "lost" });
      });
      await thor.until("join");
      const loki = await person(t);
      await loki.do((me) => {
        me.room = me.open("all/example", { queueOfflineActions: true });
        me.room.message({ message: "queued" });
      });
      assert.deepEqual((await loki.until("message")).payload, { message: "queued" });
      await thor.until("message");
      assert.deepEqual((await thor.heard("message")).map((one) => one.payload.message), ["queued"]);
    });

    test("on with a name hears that action alone, and errors where they are asked for in a way the SDK knows", async (t) => {
      const thor = await (await person(t)).joins("all/on", { presence: true });
      await thor.do((me) => {
        me.named = [];
        me.wrong = [];
        me.right = [];
        me.room.on("message", (action) => me.named.push(action.action), () => me.wrong.push("onError of message"));
        // README shows onError behind every action; the SDK asks for the action first.
        me.room.on("error", () => me.wrong.push("onAction of error"));
        me.room.on("error", () => {}, (error) => me.right.push(error.payload.message));
        me.room.message(1);
        me.room.message(1, { socketId: "nobody" });
        me.room.history();
      });
      await thor.until("history");
      assert.deepEqual(await thor.do((me) => [me.named, me.wrong, me.right]), [["message"], [], ["The recipient is not in this channel."]]);
      const [error] = await thor.errors();
      assert.deepEqual([error.action, error.options], ["error", { channel: "all/on" }]);
      // README uses ERealtimeAction, which the package does not give away.
      assert.equal(await thor.do((me) => typeof me.sdk.ERealtimeAction), "undefined");
    });

    test("is told in words that it may not join", async (t) => {
      const thor = await person(t);
      await thor.do((me) => void me.open("marvel-hq"));
      const error = await thor.untilError();
      assert.equal(error.payload.message, "Anonymous clients cannot join this channel.");
      await thor.do((me) => void me.open("nowhere"));
      assert.equal((await thor.untilError((one) => one.options.channel === "nowhere")).payload.message, "Channel not found.");
    });

    test("sends to authenticated clients only", async (t) => {
      const thor = await (await person(t, { realtimeAuthToken: await token(1, { name: "Thor" }) })).joins("all/authenticated");
      const loki = await (await person(t, { realtimeAuthToken: await token(2) })).joins("all/authenticated");
      const nobody = await (await person(t)).joins("all/authenticated");
      await thor.do((me) => me.room.message("members", { authenticated: true }));
      await thor.do((me) => me.room.message("all"));
      // README: "only other authenticated users". The sender is one of them, as with public messages.
      for (const member of [thor, loki]) {
        const action = await member.until("message");
        assert.deepEqual(action.options, { authenticated: true, socketId: null, channel: "all/authenticated" });
        assert.deepEqual([action.client.extras, action.client.permissions], [{ name: "Thor" }, { dbo_id: 1, row_id: 1 }]);
        await member.until("message", (one) => one.payload === "all");
      }
      await nobody.until("message", (one) => one.payload === "all");
      assert.equal((await nobody.heard("message")).length, 1);
      await nobody.do((me) => me.room.message("let me in", { authenticated: true }));
      assert.match((await nobody.untilError()).payload.message, /^Only authenticated clients/);
    });

    test("says hello in private to everyone who is present", async (t) => {
      const thor = await (await person(t)).joins("all/private", { presence: true });
      const loki = await (await person(t, { realtimeAuthToken: await token(2, { name: "Loki" }) })).joins("all/private", { presence: true });
      const other = await (await person(t)).joins("all/private");
      await thor.untilPresent(3);
      const [self, friend] = await thor.presence();
      assert.deepEqual([friend.extras, friend.permissions], [{ name: "Loki" }, { dbo_id: 1, row_id: 2 }]);
      await thor.do((me) => me.room.getPresence()[1].message({ message: "in private" }));
      const action = await loki.until("message");
      assert.deepEqual(action.payload, { message: "in private" });
      assert.deepEqual(action.options, { authenticated: false, socketId: friend.socketId, channel: "all/private" });
      assert.deepEqual(action.client, self);
      // The sender of an action is a client one can answer.
      await loki.do((me, socketId) => me.room.message("back", { socketId }), action.client.socketId);
      assert.equal((await thor.until("message")).payload, "back");
      await thor.do((me) => me.room.message("for all"));
      await other.until("message");
      assert.deepEqual((await other.heard("message")).map((one) => one.payload), ["for all"]);
    });

    test("asks for the history in three ways, and gets it as an action", async (t) => {
      const thor = await (await person(t)).joins("all/history", { presence: true });
      await thor.do((me) => me.room.message({ kept: 1 }));
      const message = await thor.until("message");
      await push({ channel: "all/history", data: "kept too" });
      await thor.until("event");
      const loki = await (await person(t)).joins("all/history", { history: true });
      await thor.do((me) => me.room.history());
      await thor.until("history");
      await thor.do((me) => me.room.getPresence()[0].history());
      await waitFor(async () => (await thor.heard("history")).length === 2, () => "the history comes twice");
      const histories = [await loki.until("history"), ...(await thor.heard("history"))];
      for (const { payload, client } of histories) {
        assert.equal(client, undefined);
        const [first, second] = payload.history;
        assert.deepEqual([first.action, first.client, first.options, first.payload], ["message", message.client, message.options, { kept: 1 }]);
        assert.deepEqual([second.action, second.client, second.payload.data], ["event", null, "kept too"]);
      }
    });

    test("sees who comes and who goes, and itself", async (t) => {
      const thor = await (await person(t)).joins("all/presence", { presence: true });
      await thor.untilPresent(1);
      const loki = await (await person(t)).joins("all/presence");
      await thor.untilPresent(2);
      assert.deepEqual(await loki.presence(), [], "who joined without presence sees nobody");
      await loki.do((me) => me.room.destroy());
      await thor.untilPresent(1);
      const updates = (await thor.heard("presence_update")).map((one) => one.payload.action);
      assert.deepEqual(updates, ["join", "leave"]);
      const hulk = await (await person(t)).joins("all/presence", { presence: true });
      await hulk.untilPresent(2);
      await hulk.end();
      await waitFor(async () => (await thor.heard("presence_update")).length === 4, () => "a socket that dies is noticed");
      await thor.untilPresent(1);
    });

    test("gets events, whose data is one level down and which have no client", async (t) => {
      const thor = await (await person(t, { realtimeAuthToken: await token(7) })).joins("all/events");
      const nobody = await (await person(t)).joins("all/events");
      await push({ channel: "all/events", data: { for: 7 }, auth_table: 1, auth_id: 7 });
      await push({ channel: "all/events", data: { for: "all" } });
      const action = await nobody.until("event");
      assert.deepEqual(action.payload, { data: { for: "all" }, dbo_id: 0, row_id: 0 });
      // README: `client` is `{}` by default. The SDK makes undefined of null.
      assert.equal(action.client, undefined);
      assert.deepEqual(action.options, { channel: "all/events" });
      await thor.until("event", (one) => one.payload.data.for === "all");
      assert.deepEqual((await thor.heard("event")).map((one) => one.payload), [
        { data: { for: 7 }, dbo_id: 1, row_id: 7 },
        { data: { for: "all" }, dbo_id: 0, row_id: 0 },
      ]);
    });

    test("changes who it is by setRealtimeAuthToken and realtimeReconnect", async (t) => {
      const thor = await (await person(t)).joins("all/token", { presence: true });
      assert.equal(await thor.do((me) => me.client.hasRealtimeAuthToken()), false);
      const become = async (token) => {
        const joins = (await thor.heard("join")).length;
        await thor.do((me, token) => void me.client.setRealtimeAuthToken(token).realtimeReconnect(), token);
        await waitFor(async () => (await thor.heard("join")).length === joins + 1, () => "it has joined again");
        await thor.untilPresent(1);
        return (await thor.presence())[0];
      };
      const { socketId } = (await thor.presence())[0];
      const known = await become(await token(42, { name: "Thor" }));
      assert.deepEqual([known.extras, known.permissions], [{ name: "Thor" }, { dbo_id: 1, row_id: 42 }]);
      assert.notEqual(known.socketId, socketId);
      assert.equal(await thor.do((me) => me.client.hasRealtimeAuthToken()), true);
      assert.deepEqual((await become(null)).permissions, { dbo_id: 0, row_id: 0 });
      assert.equal(await thor.do((me) => me.client.hasRealtimeAuthToken()), false);
      const statuses = ["connected", "disconnected", "connected", "disconnected", "connected"];
      assert.deepEqual(await thor.statuses(), statuses, "the server has added no status of its own");
      assert.deepEqual(await thor.errors(), []);
    });

    test("goes on as anonymous with a token that is of no use", async (t) => {
      const thor = await (await person(t, { realtimeAuthToken: "eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBM" })).joins("all/bad-token", { presence: true });
      assert.equal((await thor.untilError()).payload.message, "Invalid or expired authentication token.");
      assert.deepEqual((await thor.presence())[0].permissions, { dbo_id: 0, row_id: 0 });
      // README: the client authenticates by `authToken`. Since 3.0 the SDK sends `realtimeAuthToken` only.
      const loki = await (await person(t, { authToken: await token(2) })).joins("all/bad-token-2", { presence: true });
      assert.deepEqual((await loki.presence())[0].permissions, { dbo_id: 0, row_id: 0 });
    });

    test("has one socket for its channels, and closes it with the last", async (t) => {
      const watcher = await (await person(t)).joins("all/two", { presence: true });
      const thor = await (await person(t)).joins("all/one");
      await thor.do((me) => void (me.second = me.open("all/two")));
      await watcher.untilPresent(2);
      await thor.do((me) => me.room.destroy());
      await thor.do((me) => me.second.message("still here"));
      const own = await thor.until("message");
      assert.equal(own.options.channel, "all/two");
      await thor.do((me) => me.second.destroy());
      await watcher.untilPresent(1);
      // A new instance rejoins. While the first socket is still closing it would be dead for ever: the
      // SDK takes the late end of its first socket for that of the second.
      const closed = () => thor.do((me) => me.sockets.map((socket) => socket.readyState === WebSocket.CLOSED));
      await waitFor(async () => (await closed()).every(Boolean), () => "the first socket is closed");
      await thor.do((me) => void (me.third = me.open("all/two")));
      await watcher.untilPresent(2);
      assert.deepEqual(await closed(), [true, false]);
    });

    test("finds the server by either address and either name of the hash", async (t) => {
      const names = { instanceBaseUrl: null, apiGroupBaseUrl: `https://${HOST}/api:main`, realtimeConnectionCanonical: null };
      const thor = await person(t, { ...names, realtimeConnectionHash: server.hash });
      await thor.joins("all/hash");
      const fault = (config) =>
        thor.do((me, config) => {
          try {
            new me.Client(config).channel("x");
            return "none";
          } catch ({ message }) {
            return message;
          }
        }, config);
      assert.match(await fault({ realtimeConnectionCanonical: "x" }), /^Please configure instanceBaseUrl or apiGroupBaseUrl/);
      assert.match(await fault({ instanceBaseUrl: "https://x/" }), /^Please configure realtimeConnectionCanonical/);
    });

    test("does not come back to a hash that nobody knows", async (t) => {
      const thor = await person(t, { realtimeConnectionCanonical: "wrong" });
      await thor.do((me) => {
        me.waits = [];
        const { setTimeout } = globalThis;
        globalThis.setTimeout = (act, wait, ...rest) => {
          me.waits.push(wait);
          return setTimeout(act, wait, ...rest);
        };
        me.open("all/wrong");
      });
      assert.equal((await thor.untilError()).payload.message, "Unknown connection hash");
      await thor.until("connection_status", (one) => one.payload.status === "disconnected");
      // Right behind that it would have set its timer of one second.
      assert.equal((await thor.do((me) => me.waits)).includes(1_000), false);
    });

    test("comes back by itself when the server restarts, and joins with its options again", async (t) => {
      const thor = await (await person(t)).joins("all/restart", { presence: true, history: true, queueOfflineActions: true });
      await server.stop();
      await thor.until("connection_status", (one) => one.payload.status === "disconnected");
      // README: actions of a disconnect are queued. The SDK queues only while a socket is opening.
      await thor.do((me) => me.room.message("lost"));
      await server.restart();
      await waitFor(async () => (await thor.heard("join")).length === 2, () => "the old SDK has joined again");
      await thor.untilPresent(1);
      await waitFor(async () => (await thor.heard("history")).length === 2, () => "its options are as before");
      assert.equal((await thor.statuses()).at(-1), "connected");
      await thor.do((me) => me.room.message("back"));
      assert.equal((await thor.until("message")).payload, "back");
    });

    if (home instanceof InChromium) {
      test("chats with ours", async (t) => {
        const old = await (await person(t)).joins("marvel-chat-room", { presence: true });
        const ours = new Chat(await home.openPage("/"));
        await ours.connected();
        await ours.peopleHere(2);
        await old.do((me) => me.room.message("Hello World!"));
        await ours.shows(["Hello World!"]);
        await ours.say("hello old friend");
        const own = await old.until("message", (one) => one.payload === "Hello World!");
        const other = await old.until("message", (one) => one !== own && /hello old friend/.test(JSON.stringify(one.payload)));
        assert.deepEqual(other.options, { authenticated: false, socketId: null, channel: "marvel-chat-room" });
        assert.deepEqual(other.client.permissions, { dbo_id: 0, row_id: 0 });
        ours.noProblems();
        await old.end();
        await ours.peopleHere(1);
        await ours.page.context().close();
      });
    }
  });
}
