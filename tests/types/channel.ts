// Compiled under --strict, never run: what the types promise, and what they refuse.
import { XanoClient, type XanoRealtimeHistoryEntry, type XanoRealtimeStatus } from "xano-realtime";

interface ChatMessage {
  text: string;
  hero?: string;
}

const client = new XanoClient({
  instanceBaseUrl: "http://localhost:8787",
  realtimeConnectionCanonical: "any",
  realtimeAuthToken: async () => (await fetch("/token")).text(),
});
const status: XanoRealtimeStatus = client.status;
client.setRealtimeAuthToken("text").setRealtimeAuthToken(() => null).setRealtimeAuthToken(null);
// @ts-expect-error a token is no number
client.setRealtimeAuthToken(() => 7);

const channel = client.channel<ChatMessage, { score: number }>("marvel-chat-room");
client.channel("lobby", { presence: true, idleTimeout: 600_000 });
// @ts-expect-error milliseconds are a number
client.channel("lobby", { idleTimeout: "10m" });
const { signal } = new AbortController();

channel.on("message", ({ payload, seq }) => `${payload.text} ${seq?.toFixed()}`, { signal });
channel.on("event", ({ payload }) => payload.data.score.toFixed());
channel.on("gap", ({ payload }) => [payload.missed?.toFixed(), payload.from.toFixed(), payload.reason], ({ payload }) => payload.code, {
  signal,
});
channel.on((action) => {
  if (action.action === "message") action.payload.text.trim();
  if (action.action === "gap") action.payload.to.toFixed();
  // @ts-expect-error errors go to the second function
  if (action.action === "error") return;
});
// @ts-expect-error its payload has no such field
channel.on("message", ({ payload }) => payload.body);

// @ts-expect-error text is required
channel.message({ hero: "Thor" });

export async function use(): Promise<XanoRealtimeHistoryEntry<ChatMessage>[]> {
  await channel.ready;
  const { id, seq, ts } = await channel.message({ text: "Hello World!" }, { authenticated: true });
  const place: [string | undefined, number | undefined, number | undefined] = [id, seq, ts];
  const { history, more } = await channel.history({ before: seq, limit: 20 });
  const nothing: void = channel.history();
  for await (const { payload, client } of channel) {
    if (payload.text === status && client?.socketId) break;
  }
  const continuity: "continuous" | "gap" | "unknown" = channel.continuity;
  channel.off("message", use).off(use).destroy();
  for (const { code, message } of await client.doctor()) console.log(code.trim(), message.trim());
  client.destroy();
  return more ? history : [place, nothing, continuity].length ? [] : history;
}
