// Compiled under --strict, never run: every type by its name, and what each of them refuses.
import {
  ERealtimeAction,
  ERealtimeConnectionStatus,
  ERealtimePresenceAction,
  XanoBaseStorage,
  XanoClient,
  XanoContentType,
  XanoCookieStorage,
  XanoEventStream,
  XanoFile,
  XanoLocalStorage,
  XanoNodeClient,
  XanoObjectStorage,
  XanoRealtimeChannel,
  XanoRealtimeClient,
  XanoRequestError,
  XanoRequestType,
  XanoResponse,
  XanoSessionStorage,
  XanoStorageKeys,
} from "xano-realtime";
import type {
  XanoClientConfig,
  XanoFileContent,
  XanoFindingCode,
  XanoFormData,
  XanoListenerOptions,
  XanoRealtimeAction,
  XanoRealtimeActionOptions,
  XanoRealtimeActions,
  XanoRealtimeChannelOptions,
  XanoRealtimeClientInfo,
  XanoRealtimeConnected,
  XanoRealtimeConnectionStatus,
  XanoRealtimeDisconnected,
  XanoRealtimeError,
  XanoRealtimeErrorPayload,
  XanoRealtimeEvent,
  XanoRealtimeEventPayload,
  XanoRealtimeFailure,
  XanoRealtimeFinding,
  XanoRealtimeFrame,
  XanoRealtimeGap,
  XanoRealtimeGapPayload,
  XanoRealtimeGapReason,
  XanoRealtimeHistory,
  XanoRealtimeHistoryEntry,
  XanoRealtimeHistoryPage,
  XanoRealtimeHistoryRequest,
  XanoRealtimeJoin,
  XanoRealtimeJoinPayload,
  XanoRealtimeKeptEvent,
  XanoRealtimeKeptMessage,
  XanoRealtimeLeave,
  XanoRealtimeMessage,
  XanoRealtimePermissions,
  XanoRealtimePresenceFull,
  XanoRealtimePresenceUpdate,
  XanoRealtimePublication,
  XanoRealtimeReceipt,
  XanoRealtimeSendOptions,
  XanoRealtimeStatus,
  XanoRefusalCode,
  XanoRequestErrorCode,
  XanoRequestParams,
  XanoRequestSettings,
  XanoServerErrorCode,
  XanoSetupErrorCode,
  XanoStreamingCallback,
  XanoTokenProvider,
} from "xano-realtime";

/** Holds where both are the very same type, `any` included. */
type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
const same = <One, Other>(holds: Same<One, Other>): void => void holds;

interface Chat {
  text: string;
}
interface Score {
  score: number;
}
interface Person {
  name: string;
}
type Room = XanoRealtimeChannel<Chat, Score, Person>;
type Heard = XanoRealtimeActions<Chat, Score, Person>;

// What a listener gets.
same<Heard["message"], XanoRealtimeMessage<Chat, Person>>(true);
same<Heard["message"]["payload"], Chat>(true);
same<Heard["message"]["client"], XanoRealtimeClientInfo<Person> | undefined>(true);
same<Heard["message"]["seq"], number | undefined>(true);
same<Heard["event"], XanoRealtimeEvent<Score>>(true);
same<Heard["event"]["payload"], XanoRealtimeEventPayload<Score>>(true);
same<Heard["event"]["client"], undefined>(true);
same<Heard["history"], XanoRealtimeHistory<Chat, Score, Person>>(true);
same<Heard["history"]["payload"]["history"], XanoRealtimeHistoryEntry<Chat, Score, Person>[]>(true);
same<XanoRealtimeHistoryEntry<Chat, Score, Person>, XanoRealtimeKeptMessage<Chat, Person> | XanoRealtimeKeptEvent<Score>>(true);
same<Heard["connection_status"], XanoRealtimeConnectionStatus>(true);
same<Heard["connection_status"]["payload"], XanoRealtimeConnected | XanoRealtimeDisconnected>(true);
same<Heard["error"], XanoRealtimeError>(true);
same<Heard["error"]["payload"], XanoRealtimeErrorPayload>(true);
same<Heard["gap"], XanoRealtimeGap>(true);
same<Heard["gap"]["payload"], XanoRealtimeGapPayload>(true);
same<XanoRealtimeGapPayload["reason"], XanoRealtimeGapReason>(true);
same<Heard["join"], XanoRealtimeJoin<Person>>(true);
same<Heard["join"]["payload"], XanoRealtimeJoinPayload | null>(true);
same<Heard["leave"], XanoRealtimeLeave<Person>>(true);
same<Heard["leave"]["payload"], unknown>(true);
same<Heard["presence_full"], XanoRealtimePresenceFull<Person>>(true);
same<Heard["presence_full"]["payload"]["presence"], XanoRealtimeClientInfo<Person>[]>(true);
same<Heard["presence_update"], XanoRealtimePresenceUpdate<Person>>(true);
same<Heard["presence_update"]["payload"]["action"], ERealtimePresenceAction>(true);
same<XanoRealtimeAction<Chat, Score, Person>, Exclude<Heard[keyof Heard], XanoRealtimeError>>(true);
same<Exclude<keyof XanoRealtimeActions, ERealtimeAction>, "gap">(true);
same<Exclude<ERealtimeAction, keyof XanoRealtimeActions>, never>(true);

// What is answered.
same<Awaited<ReturnType<Room["message"]>>, XanoRealtimeReceipt>(true);
same<keyof XanoRealtimeReceipt, keyof XanoRealtimePublication>(true);
same<Parameters<Room["message"]>, [payload: Chat, options?: XanoRealtimeSendOptions | undefined]>(true);
same<XanoRealtimeHistoryPage<Chat, Score, Person>["history"], XanoRealtimeHistoryEntry<Chat, Score, Person>[]>(true);
same<ReturnType<Room["getPresence"]>, XanoRealtimeClient<Chat, Person>[]>(true);
same<XanoRealtimeClient<Chat, Person>["permissions"], XanoRealtimePermissions>(true);
same<Awaited<ReturnType<XanoClient["doctor"]>>, XanoRealtimeFinding[]>(true);
same<XanoRealtimeFinding["code"], XanoFindingCode>(true);
same<XanoClient["status"], XanoRealtimeStatus>(true);
same<Room["continuity"], "continuous" | "gap" | "unknown">(true);
same<XanoServerErrorCode & XanoRefusalCode, never>(true);
same<Extract<XanoSetupErrorCode, XanoRequestErrorCode>, "no_base_url">(true);
same<Parameters<XanoStreamingCallback>, [event: XanoEventStream]>(true);
same<ReturnType<typeof XanoFile.prototype.getName>, string>(true);

const provider: XanoTokenProvider = async () => undefined;
const settings: XanoRequestSettings = { timeout: 1_000, responseType: "blob", httpsAgent: {} };
const config: XanoClientConfig = { realtimeAuthToken: provider, customAxiosRequestConfig: settings, storage: new XanoSessionStorage() };
const wanted: XanoRealtimeChannelOptions = { history: true };
const listening: XanoListenerOptions = { signal: null };
const page: XanoRealtimeHistoryRequest = { before: 7 };
const meant: XanoRealtimeActionOptions = { authenticated: true };
const kept: XanoStorageKeys[] = [XanoStorageKeys.AuthToken, "RealtimeAuthToken"];
const kinds: XanoContentType[] = [XanoContentType.JSON, "text/plain"];
const state: ERealtimeConnectionStatus = ERealtimeConnectionStatus.Connected;
const form: XanoFormData = { formData: new FormData(), hasFile: false, rawFormData: {} };
const request: XanoRequestParams = { endpoint: "/", method: XanoRequestType.GET };
const content: XanoFileContent = new Uint8Array(1);
const storages: XanoBaseStorage[] = [new XanoCookieStorage("/", 1), new XanoLocalStorage(), new XanoObjectStorage()];

export async function use(room: Room, xano: XanoClient): Promise<unknown> {
  room.on(ERealtimeAction.Message, ({ payload }) => payload.text.trim(), null);
  room.on("typing", (action: XanoRealtimeFrame) => action.payload, undefined, listening);
  room.on("connection_status", ({ payload }) => {
    // @ts-expect-error only one of both has a code
    payload.code.toFixed();
    if (payload.status === "disconnected") same<typeof payload.retryIn, number | undefined>(true);
  });
  for await (const message of room) same<typeof message, XanoRealtimeMessage<Chat, Person>>(true);
  try {
    await room.message({ text: "Hello" }, meant);
    await room.message({ text: "Hello" }, { socketId: null, own: 1 });
  } catch (thrown) {
    const failure = thrown as XanoRealtimeFailure;
    if (failure.code === "queue_full" || failure.code === "rate_limited" || failure.code === "of a later server") return failure.message;
  }
  const { history } = await room.history(page);
  for (const entry of history) {
    if (entry.action === "message") same<typeof entry.payload, Chat>(true);
    else same<typeof entry.payload.data, Score>(true);
  }
  const [member] = room.getPresence();
  same<typeof member.extras, Person>(true);
  await member.message({ text: "Hello" });
  same<ReturnType<typeof member.history>, void>(true);
  const file = new XanoFile("a.txt", new Blob(), "text/plain");
  same<ReturnType<typeof file.getBuffer>, Blob>(true);
  const answer = await xano.post<{ id: number }>("/users", { content, file }, { "X-Own": 1 }, (event) => event.data.trim());
  same<ReturnType<typeof answer.getBody>, { id: number }>(true);
  same<ReturnType<typeof answer.getStatusCode>, number>(true);
  const refused = new XanoRequestError<Chat>("no", new XanoResponse({ data: { text: "no" }, status: 403 }));
  same<ReturnType<typeof refused.getResponse>, XanoResponse<Chat>>(true);
  const chained: XanoNodeClient = new XanoNodeClient(config).setAuthToken("a").setDataSource(null).setRealtimeAuthToken(provider).realtimeReconnect();

  // @ts-expect-error something is sent
  room.message();
  // @ts-expect-error of the channel's kind
  room.message({ score: 1 });
  // @ts-expect-error to a member too
  member.message("Hello");
  // @ts-expect-error a flag is true or false
  room.message({ text: "Hello" }, { authenticated: "yes" });
  // @ts-expect-error a name is text
  xano.channel(7);
  // @ts-expect-error there is no such option
  xano.channel("a", { historie: true });
  // @ts-expect-error there is no such setting
  new XanoClient({ instanceUrl: "http://localhost:8787" });
  // @ts-expect-error a listener is a function
  room.on("message", "print");
  // @ts-expect-error channels are made by clients
  new XanoRealtimeChannel("a", {});
  // @ts-expect-error members by the server
  new XanoRealtimeClient({});
  // @ts-expect-error its name stays
  room.channel = "b";
  // @ts-expect-error the state is the SDK's
  xano.status = "connected";
  // @ts-expect-error a number of messages is a number
  room.history({ limit: "20" });
  // @ts-expect-error a storage keeps text
  storages[0].setItem("a", 1);
  // @ts-expect-error a storage of one's own has all five methods
  new (class extends XanoBaseStorage {})();
  // @ts-expect-error there is no such storage to make
  new XanoBaseStorage();
  // @ts-expect-error a file holds bytes or text
  new XanoFile("a", 7);
  // @ts-expect-error a body has no fields that nobody declared
  answer.getBody().name;
  // @ts-expect-error head has no events
  xano.head("/", {}, {}, () => {});
  // @ts-expect-error constants are constant
  ERealtimeAction.Message = "event";
  return [wanted, kept, kinds, state, form, request, chained];
}
