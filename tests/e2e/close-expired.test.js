import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";

import { WebSocket } from "ws";

import { XanoClient } from "../../dist/index.js";
import { waitFor } from "./support/chat.js";
import { Server } from "./support/server.js";

test("an end of its token is an end for good to the SDK, until it has another and is told to come back", async (t) => {
  const native = globalThis.WebSocket;
  globalThis.WebSocket = WebSocket;
  const key = randomBytes(32);
  const server = await Server.start({ options: ["--close-expired"], key });
  t.after(async () => {
    globalThis.WebSocket = native;
    await server.dispose();
  });

  const token = (name, seconds) => {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1_000) + seconds;
    const message = `${encode({ alg: "HS256" })}.${encode({ dbo_id: 1, row_id: 1, extras: { name }, exp })}`;
    return `${message}.${createHmac("sha256", key).update(message).digest("base64url")}`;
  };
  const client = new XanoClient({
    instanceBaseUrl: server.origin,
    realtimeConnectionHash: server.hash,
    // It is over, but for the half minute that is allowed for wrong clocks.
    realtimeAuthToken: token("Thor", -28),
  });
  const heard = [];
  const channel = client.channel("marvel-hq");
  t.after(() => channel.destroy());
  channel.on(
    ({ action, client, payload }) => {
      if (action === "join") heard.push(["join", client.extras.name]);
      else heard.push([payload.status, payload.code, payload.retryIn]);
    },
    ({ payload }) => heard.push(["error", payload.code]),
  );
  const until = (...wanted) =>
    waitFor(() => heard.some((one) => wanted.every((part, i) => part === one[i])), () => `${wanted} is heard: ${JSON.stringify(heard)}`);
  await until("disconnected");
  assert.deepEqual(heard, [
    ["connected", undefined, undefined],
    ["join", "Thor"],
    ["error", "invalid_token"],
    ["disconnected", 4401, undefined],
  ]);
  client.setRealtimeAuthToken(token("Thor again", 60)).realtimeReconnect();
  await until("join", "Thor again");
});
