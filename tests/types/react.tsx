// Compiled under --strict, never run: what the hooks' types promise, and what they refuse.
import type { ReactElement } from "react";
import { XanoClient, type XanoRealtimeReceipt, type XanoRealtimeStatus } from "xano-realtime";
import {
  XanoProvider,
  useChannel,
  useConnectionStatus,
  usePresence,
  useXanoClient,
  type UseChannelOptions,
  type XanoChannelError,
  type XanoChannelListeners,
  type XanoChannelState,
  type XanoProviderProps,
} from "xano-realtime/react";

interface ChatMessage {
  text: string;
}

interface Person {
  name: string;
}

type Exactly<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
const isExactly = <One, Other>(same: Exactly<One, Other>) => same;

const client = new XanoClient({ instanceBaseUrl: "http://localhost:8787", realtimeConnectionCanonical: "any" });
const props: XanoProviderProps = { client: () => client };
const options: UseChannelOptions<ChatMessage> = { history: true, presence: true, queueOfflineActions: false, limit: 20 };
const listeners: XanoChannelListeners<ChatMessage, { score: number }, Person> = {
  message: ({ payload, client }) => [payload.text.trim(), client?.extras.name.trim()],
  event: ({ payload }) => payload.data.score.toFixed(),
  error: ({ payload }) => payload.code?.trim(),
  connection_status: ({ payload }) => payload.status === "disconnected" && payload.code.toFixed(),
};

export function Room(): ReactElement {
  const room: XanoChannelState<ChatMessage, { score: number }, Person> = useChannel("a", { ...options, on: listeners });
  const { channel, messages, events, error, ready, continuity, socketId, send } = useChannel<ChatMessage, { score: number }, Person>("a");
  isExactly<typeof ready, boolean>(true);
  isExactly<typeof socketId, string | null>(true);
  isExactly<typeof continuity, "continuous" | "gap" | "unknown">(true);
  const texts: string[] = messages.map(({ payload, client }) => payload.text + client?.extras.name + client?.permissions.row_id);
  const scores: number[] = events.map(({ payload }) => payload.data.score);
  const wrong: XanoChannelError | null = error;
  const code: string | undefined = error?.code;
  const receipt: Promise<XanoRealtimeReceipt> = send({ text: "Hello" }, { socketId: "one", own: 1 });
  void channel?.history({ limit: 20 }).then(({ history }) => history[0]?.payload);
  const members = usePresence<Person>("a").map(({ extras }) => extras.name.trim());
  const status: XanoRealtimeStatus = useConnectionStatus();
  const own: XanoClient | null = useXanoClient();
  useChannel(null);
  usePresence(undefined);

  // @ts-expect-error text is required
  send({ hero: "Thor" });
  // @ts-expect-error something is sent
  send();
  // @ts-expect-error the list is the hook's
  messages.push(messages[0]);
  // @ts-expect-error so is the state
  room.ready = true;
  // @ts-expect-error a payload without a type is unknown, and not anything
  useChannel("a").messages[0].payload.text;
  // @ts-expect-error there is no such option
  useChannel("a", { hsitory: true });
  // @ts-expect-error nor such an action
  useChannel("a", { on: { massage: () => {} } });
  // @ts-expect-error a name is text
  useChannel(7);
  // @ts-expect-error extras have a name, which is text
  usePresence<Person>("a")[0].extras.name.toFixed();

  return (
    <XanoProvider client={client}>
      <XanoProvider client={() => client} />
      <XanoProvider client={null}>{texts.length + scores.length + members.length}</XanoProvider>
      <XanoProvider {...props}>{String([wrong, code, receipt, status, own])}</XanoProvider>
      {/* @ts-expect-error undefined is most likely a mistake */}
      <XanoProvider client={undefined} />
      {/* @ts-expect-error a provider has a client */}
      <XanoProvider />
    </XanoProvider>
  );
}
