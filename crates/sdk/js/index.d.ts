// `any` stands for what only an application knows: what it sends, stores and is answered. Where it says so
// with a type parameter, that is what it gets; where it does not, code written for @xano/js-sdk compiles.

/** Settings of a client. The caller's object is read once and never changed. */
export interface XanoClientConfig {
  /** Address of the Xano instance, or of a self-hosted server: `http://localhost:8787`. */
  instanceBaseUrl?: string | null;
  /** The same, as parts of Xano's documentation spell it. */
  instanceBaseURL?: string | null;
  /**
   * Address of an API group: what requests go to, before `instanceBaseUrl`. For realtime, after it, only
   * its scheme, host and port count.
   */
  apiGroupBaseUrl?: string | null;
  /** The connection hash from the realtime settings. */
  realtimeConnectionCanonical?: string | null;
  /** The same, as Xano's documentation spells it. */
  realtimeCanonical?: string | null;
  /** @deprecated Use `realtimeConnectionCanonical`. */
  realtimeConnectionHash?: string | null;
  /**
   * Who the connection is for. It is stored; without one it is who is stored, and null is nobody, now
   * and later. A function is asked before each attempt to
   * connect, the first and every later one, so that a token never has to outlive its connection: it
   * has 30 seconds, and when it throws, rejects or takes longer, that attempt has failed and the next
   * one asks again. With a function the SDK also comes back when the server ends the connection
   * because the token has expired (close code 4401).
   */
  realtimeAuthToken?: string | null | XanoTokenProvider;
}

/** Gives the token of the next connection, or nothing for an anonymous one; it has 30 seconds. */
export type XanoTokenProvider = () =>
  | string
  | null
  | undefined
  | Promise<string | null | undefined>;

/** How the connection is. */
export type XanoRealtimeStatus =
  /** No channel is in use, or all have reached their `idleTimeout`. */
  | "idle"
  /** The first or another attempt is under way. */
  | "connecting"
  /** There is one. */
  | "connected"
  /** The next attempt has a time, or comes when the network or the page is back. */
  | "waiting"
  /** It ended for good; `realtimeReconnect()` or another channel object starts it again. */
  | "closed";

/** Codes of what is thrown at once, because settings or the page do not allow a connection. */
export type XanoSetupErrorCode =
  | "csp_blocks_wasm"
  | "invalid_base_url"
  | "no_base_url"
  | "no_canonical"
  | "no_webassembly"
  | "no_websocket";

/** Codes of what the SDK itself refuses or gives up. */
export type XanoRefusalCode =
  | "buffer_full"
  | "channel_destroyed"
  | "connection_closed"
  | "delivery_unknown"
  | "message_too_large"
  | "not_connected"
  | "queue_full";

/** Codes of what this project's server refuses. Xano's own has none. */
export type XanoServerErrorCode =
  | "anonymous_join_refused"
  | "authentication_required"
  | "channel_not_found"
  | "history_disabled"
  | "invalid_channel_name"
  | "invalid_token"
  | "join_refused"
  | "malformed_frame"
  | "message_refused"
  | "messaging_disabled"
  | "not_joined"
  | "overloaded"
  | "rate_limited"
  | "recipient_not_found"
  | "storage_failed"
  | "too_many_channels"
  | "trigger_failed"
  | "unknown_action"
  | "unknown_hash";

/** Codes of requests that have no answer, or cannot be made. */
export type XanoRequestErrorCode =
  | "ECONNABORTED"
  | "ERR_CANCELED"
  | "ERR_NETWORK"
  | "event_too_large"
  | "no_base_url"
  | "params_too_deep";

/** Codes of what the doctor finds; docs/errors.md says what to do about each. */
export type XanoFindingCode =
  | "closed"
  | "csp_blocks_connection"
  | "csp_blocks_wasm"
  | "invalid_base_url"
  | "mixed_content"
  | "no_base_url"
  | "no_canonical"
  | "no_realtime"
  | "no_webassembly"
  | "no_websocket"
  | "not_initialized"
  | "offline"
  | "token_expired"
  | "token_function_failed"
  | "token_refused"
  | "unknown_hash"
  | "unreachable";

/** What is wrong with the connection. */
export interface XanoRealtimeFinding {
  /** For programs. */
  code: XanoFindingCode;
  /** The same in words, with what to do about it. */
  message: string;
}

/** What to ask of a channel. */
export interface XanoRealtimeChannelOptions {
  /**
   * Get the kept messages with each join. Default: false. After a reconnect that missed nothing, or
   * whose missed messages all follow one by one, they do not come again.
   */
  history?: boolean;
  /** Get who is here, and every change. Default: false. */
  presence?: boolean;
  /** Keep what is sent without a connection until there is one. Default: true. */
  queueOfflineActions?: boolean;
  /**
   * After how many milliseconds without use to leave the channel; the connection closes with the last
   * channel that is left. Uses are `on`, `message`, `history` and `ready`, and while one of them waits for
   * an answer the channel is not left; what it hears is no use. The next use joins again, and what was
   * missed comes as after any reconnect. Of several objects of one name the most patient counts.
   * Default: never.
   */
  idleTimeout?: number;
}

/** Options of a message; further keys are sent along as they are. */
export interface XanoRealtimeActionOptions {
  /** Only for authenticated members. */
  authenticated?: boolean;
  /** Set by the SDK to the channel's name, whatever it is here. */
  channel?: string;
  /**
   * Names the message for the server: 1 to 64 characters that nobody can guess, another one for each
   * message. The SDK makes one up where there is none.
   */
  id?: string;
  /** Only for this member. */
  socketId?: string | null;
}

/** Options of a message that is sent; an interface of one's own with more keys will do. */
export type XanoRealtimeSendOptions =
  | XanoRealtimeActionOptions
  | (XanoRealtimeActionOptions & Record<string, unknown>);

/** The record a client stands for. */
export interface XanoRealtimePermissions {
  /** The table's id; 0 for none. */
  dbo_id: number;
  /** The record's id, text where it is no whole number; 0 for none. */
  row_id: number | string;
}

/** What one client may know of another. */
export interface XanoRealtimeClientInfo<Extras = Record<string, any>> {
  /** What its token adds about it; empty for anonymous clients. */
  extras: Extras;
  /** The table and the record it stands for; zeros for anonymous clients. */
  permissions: XanoRealtimePermissions;
  /** New with every connection. */
  socketId: string;
}

/**
 * The names of actions, as constants, and one of them as a type. "gap" and what later versions add are names
 * alone.
 */
export declare const ERealtimeAction: {
  readonly ConnectionStatus: "connection_status";
  readonly Error: "error";
  readonly Event: "event";
  readonly History: "history";
  readonly Join: "join";
  readonly Leave: "leave";
  readonly Message: "message";
  readonly PresenceFull: "presence_full";
  readonly PresenceUpdate: "presence_update";
};
/** One of the names. */
export type ERealtimeAction = (typeof ERealtimeAction)[keyof typeof ERealtimeAction];

/** What a "connection_status" tells, as constants, and one of them as a type. */
export declare const ERealtimeConnectionStatus: {
  readonly Connected: "connected";
  readonly Disconnected: "disconnected";
};
/** One of them. */
export type ERealtimeConnectionStatus =
  (typeof ERealtimeConnectionStatus)[keyof typeof ERealtimeConnectionStatus];

/** What a "presence_update" tells, as constants, and one of them as a type. */
export declare const ERealtimePresenceAction: {
  readonly Join: "join";
  readonly Leave: "leave";
};
/** One of them. */
export type ERealtimePresenceAction =
  (typeof ERealtimePresenceAction)[keyof typeof ERealtimePresenceAction];

/** What all actions have. */
export interface XanoRealtimeFrame<
  Action extends string = string,
  Payload = unknown,
  Client = XanoRealtimeClientInfo | undefined,
> {
  /** Its name. */
  action: Action;
  /** Who caused it; undefined when the server did. */
  client?: Client;
  /** What it is about: mostly `channel`. */
  options?: XanoRealtimeActionOptions;
  /** The rest, by action. */
  payload: Payload;
}

/** What servers of this project add to what they publish; Xano's own does not. */
export interface XanoRealtimePublication {
  /** Its name: 16 characters, the same for everybody. */
  id?: string;
  /** When the server took it, in milliseconds since 1970; never less than that of the one before. */
  ts?: number;
  /** Its number, one more than that of the one before which this client may see. Private messages have none. */
  seq?: number;
}

/** What somebody sent. */
export interface XanoRealtimeMessage<Payload = any, Extras = Record<string, any>>
  extends XanoRealtimeFrame<"message", Payload, XanoRealtimeClientInfo<Extras>>,
    XanoRealtimePublication {}

/** What the payload of an event is: the data is one level down. */
export interface XanoRealtimeEventPayload<Data = any> {
  /** What the backend pushed. */
  data: Data;
  /** The table of those it is for; 0 for everybody. */
  dbo_id: number;
  /** The record of those it is for; 0 for all of the table. */
  row_id: number | string;
}

/** What the backend pushed. */
export interface XanoRealtimeEvent<Data = any>
  extends XanoRealtimeFrame<"event", XanoRealtimeEventPayload<Data>, undefined>,
    XanoRealtimePublication {}

/** A message of a history, as the server keeps it. */
export interface XanoRealtimeKeptMessage<Payload = any, Extras = Record<string, any>>
  extends XanoRealtimePublication {
  action: "message";
  /** Who sent it. */
  client: XanoRealtimeClientInfo<Extras> | null;
  options: XanoRealtimeActionOptions;
  payload: Payload;
}

/** An event of a history, as the server keeps it. */
export interface XanoRealtimeKeptEvent<Data = any> extends XanoRealtimePublication {
  action: "event";
  client: null;
  options: XanoRealtimeActionOptions;
  payload: XanoRealtimeEventPayload<Data>;
}

/** An entry of a history. */
export type XanoRealtimeHistoryEntry<Payload = any, Data = any, Extras = Record<string, any>> =
  | XanoRealtimeKeptMessage<Payload, Extras>
  | XanoRealtimeKeptEvent<Data>;

/** The kept messages and events, oldest first: with a join that asks for them, or after `history()`. */
export interface XanoRealtimeHistory<Payload = any, Data = any, Extras = Record<string, any>>
  extends XanoRealtimeFrame<
    "history",
    { history: XanoRealtimeHistoryEntry<Payload, Data, Extras>[] },
    undefined
  > {}

/** There is a connection. */
export interface XanoRealtimeConnected {
  status: "connected";
}

/** There is none any more, or an attempt has failed. */
export interface XanoRealtimeDisconnected {
  status: "disconnected";
  /** The close code; 1006 where there was none. PROTOCOL.md has the server's. */
  code: number;
  /** The close frame's reason, or the SDK's: "idle" where the channels' `idleTimeout` was it. Often empty. */
  reason: string;
  /** Milliseconds until the next attempt; absent when none comes by itself. */
  retryIn?: number;
}

/** Made by the SDK: the connection is there, or gone. A listener that comes later hears of it first. */
export interface XanoRealtimeConnectionStatus
  extends XanoRealtimeFrame<
    "connection_status",
    XanoRealtimeConnected | XanoRealtimeDisconnected,
    undefined
  > {}

/**
 * What was refused and why. Beyond the server's codes (see PROTOCOL.md) there are some that the SDK
 * makes itself, each once for every call it is about, and never before that call has returned:
 *
 * - "queue_full": too much waits already.
 * - "message_too_large": as JSON in UTF-8 the frame has more than 1 MiB (1,048,576 bytes), which
 *   this project's server answers by ending the connection. The limit of Xano's own is not known.
 * - "connection_closed": the connection ended for good (a "disconnected" without `retryIn` that is
 *   not "idle"), so what waited was not sent, and neither is what comes until `realtimeReconnect()` is called or another
 *   channel object is used.
 * - "delivery_unknown": the message was sent, but the connection broke before the server had
 *   answered, and it cannot be sent again without a risk of it being published twice: that was more
 *   than 110 seconds ago, or the connection ended for good, or `queueOfflineActions` is false.
 *
 * Two more reject receipts alone: "channel_destroyed" (before the server had answered) and
 * "not_connected" (where `queueOfflineActions` is false).
 */
export interface XanoRealtimeError
  extends XanoRealtimeFrame<"error", XanoRealtimeErrorPayload, undefined> {}

/** What was refused and why. */
export interface XanoRealtimeErrorPayload {
  /** For people; docs/errors.md has all of them. */
  message: string;
  /** For programs; a later server may have more. Xano's own has none. */
  code?: XanoServerErrorCode | XanoRefusalCode | (string & {});
  /** What was refused: "join", "message", "history"; absent when it is about the connection. */
  action?: string;
  /** After how many milliseconds it would be allowed, where that is known. */
  retryAfter?: number;
}

/**
 * Made by the SDK: publications were missed and are not to be had any more. It comes behind the "join"
 * of a reconnect, and before anything newer. The history that follows where it was asked for may
 * hold some of them.
 */
export interface XanoRealtimeGap
  extends XanoRealtimeFrame<"gap", XanoRealtimeGapPayload, undefined> {}

/** Which publications were missed. */
export interface XanoRealtimeGapPayload {
  /** Why they are not to be had. */
  reason: XanoRealtimeGapReason;
  /** How many; absent where `from` and `to` are not of one count. */
  missed?: number;
  /** The `seq` of the first. */
  from: number;
  /** The `seq` of the last. */
  to: number;
}

/** Why what was missed is not to be had. */
export type XanoRealtimeGapReason =
  /** The server no longer keeps all of it. */
  | "history_too_short"
  /**
   * The numbering began anew: the channel was idle for long, the connection is for somebody else now
   * (anonymous and authenticated members have a count each), or the server crashed before it had stored
   * what was read here.
   */
  | "epoch_changed"
  /** The server never gave out the number that was read last. */
  | "position_unknown"
  | (string & {});

/** Where a message was published. All is absent where the server does not acknowledge messages. */
export interface XanoRealtimeReceipt extends XanoRealtimePublication {}

/** What receipts, `ready`, pages and `for await` fail with. */
export interface XanoRealtimeFailure extends Error {
  /** See {@link XanoRealtimeError}; absent where Xano's own server refused it. */
  code?: XanoServerErrorCode | XanoRefusalCode | (string & {});
}

/** Which part of a channel's history. */
export interface XanoRealtimeHistoryRequest {
  /** Only what has a lower `seq`. Default: all. */
  before?: number | undefined;
  /** How many at most. Default: as many as the channel keeps; the server gives no more than 4 MiB. */
  limit?: number | undefined;
}

/** A part of a channel's history. */
export interface XanoRealtimeHistoryPage<
  Payload = any,
  Data = any,
  Extras = Record<string, any>,
> {
  /** Oldest first. */
  history: XanoRealtimeHistoryEntry<Payload, Data, Extras>[];
  /** Whether there are older ones; absent where the server gives the whole history only. */
  more?: boolean;
}

/** The server's answer to a join; `client` is this client itself. */
export interface XanoRealtimeJoin<Extras = Record<string, any>>
  extends XanoRealtimeFrame<
    "join",
    XanoRealtimeJoinPayload | null,
    XanoRealtimeClientInfo<Extras>
  > {}

/** What this project's server says of a channel that was joined; what Xano's says is not known. */
export interface XanoRealtimeJoinPayload {
  /** Who this client is, as others see it. */
  socketId?: string;
  /** The life of the channel's numbering. */
  epoch?: string;
  /** The number of the newest publication before the join. */
  seq?: number;
  /** How many publications the channel keeps. */
  history?: number;
  /** Whether the channel tells who is here. */
  presence?: boolean;
  /** After a reconnect: whether all that was missed follows. */
  resumed?: boolean;
  /** Why it does not. */
  reason?: XanoRealtimeGapReason;
  /** What this server can do beyond the first version of the protocol. */
  features?: string[];
  /** After how many milliseconds of silence the server asks whether anybody is there. */
  pingInterval?: number;
}

/** The channel was left: because the settings no longer let this client in, say. */
export interface XanoRealtimeLeave<Extras = Record<string, any>>
  extends XanoRealtimeFrame<"leave", unknown, XanoRealtimeClientInfo<Extras>> {}

/** Everybody who is here, oneself included. */
export interface XanoRealtimePresenceFull<Extras = Record<string, any>>
  extends XanoRealtimeFrame<
    "presence_full",
    { presence: XanoRealtimeClientInfo<Extras>[] },
    undefined
  > {}

/** Somebody has come or gone. */
export interface XanoRealtimePresenceUpdate<Extras = Record<string, any>>
  extends XanoRealtimeFrame<
    "presence_update",
    { action: ERealtimePresenceAction; presence: XanoRealtimeClientInfo<Extras> },
    undefined
  > {}

/** By action, what a listener is called with. */
export interface XanoRealtimeActions<Payload = any, Data = any, Extras = Record<string, any>> {
  connection_status: XanoRealtimeConnectionStatus;
  error: XanoRealtimeError;
  event: XanoRealtimeEvent<Data>;
  gap: XanoRealtimeGap;
  history: XanoRealtimeHistory<Payload, Data, Extras>;
  join: XanoRealtimeJoin<Extras>;
  leave: XanoRealtimeLeave<Extras>;
  message: XanoRealtimeMessage<Payload, Extras>;
  presence_full: XanoRealtimePresenceFull<Extras>;
  presence_update: XanoRealtimePresenceUpdate<Extras>;
}

/** Anything a channel tells except errors, which go to the second function of `on`. */
export type XanoRealtimeAction<
  Payload = any,
  Data = any,
  Extras = Record<string, any>,
> = XanoRealtimeActions<Payload, Data, Extras>[Exclude<
  keyof XanoRealtimeActions,
  "error"
>];

/** Options of a listener. */
export interface XanoListenerOptions {
  /** Ends it when it is aborted; it never begins where that has happened already. */
  signal?: AbortSignal | null;
}

// Requests, storages and files.

export interface XanoClientConfig {
  /** Who requests are for. It is stored; without one it is who is stored, and null is nobody. */
  authToken?: string | null;
  /** Settings of axios that fetch has a use for; any other is named on the console and does nothing. */
  customAxiosRequestConfig?: XanoRequestSettings | null;
  /** Sent with each request as `X-Data-Source`. */
  dataSource?: string | null;
  /** Put before all keys of the answers' objects. */
  responseObjectPrefix?: string | null;
  /** Default: `XanoLocalStorage`, and `XanoObjectStorage` for a `XanoNodeClient`. */
  storage?: XanoBaseStorage | null;
}

/** The settings of axios that requests made with fetch have a use for. */
export interface XanoRequestSettings {
  /** Sent with each request; those of a call go first. */
  headers?: Record<string, any>;
  /** Sent with each request; those of a call go first. */
  params?: Record<string, any> | URLSearchParams;
  /** What `getBody()` gives: an `ArrayBuffer`, a `Blob`, or text, as JSON where it is any. Default: "json". */
  responseType?: "arraybuffer" | "blob" | "json" | "text";
  /** Calls the requests off: "ERR_CANCELED". */
  signal?: AbortSignal;
  /** Milliseconds until a request is given up: "ECONNABORTED". Default: 0, never. */
  timeout?: number;
  /** Whether cookies go to other origins. Default: false. */
  withCredentials?: boolean;
  [other: string]: unknown;
}

/** Content types, as constants, and one of them as a type. */
export declare const XanoContentType: {
  readonly JSON: "application/json";
  readonly Multipart: "multipart/form-data";
  readonly Text: "text/plain";
};
/** One of them. */
export type XanoContentType = (typeof XanoContentType)[keyof typeof XanoContentType];

/** Methods of requests, as constants, and one of them as a type. */
export declare const XanoRequestType: {
  readonly DELETE: "DELETE";
  readonly GET: "GET";
  readonly HEAD: "HEAD";
  readonly PATCH: "PATCH";
  readonly POST: "POST";
  readonly PUT: "PUT";
};
/** One of them. */
export type XanoRequestType = (typeof XanoRequestType)[keyof typeof XanoRequestType];

/** Under what tokens are kept, as constants, and one of them as a type. */
export declare const XanoStorageKeys: {
  readonly AuthToken: "AuthToken";
  readonly RealtimeAuthToken: "RealtimeAuthToken";
};
/** One of them. */
export type XanoStorageKeys = (typeof XanoStorageKeys)[keyof typeof XanoStorageKeys];

/** Where a client keeps its tokens. All of it is asked anew for each request; what it throws, the caller gets. */
export declare abstract class XanoBaseStorage {
  /** Forgets everything. */
  abstract clear(): void;
  /** A copy of everything. */
  abstract getAll(): Record<string, string>;
  /** What is kept under a key; null for nothing. */
  abstract getItem(key: string): string | null;
  /** Forgets what is kept under a key, if anything is. */
  abstract removeItem(key: string): void;
  /** Keeps a value under a key, in place of what was there. */
  abstract setItem(key: string, value: string): void;
}

/** Forgotten with the object. */
export declare class XanoObjectStorage extends XanoBaseStorage {
  clear(): void;
  getAll(): Record<string, string>;
  getItem(key: string): string | null;
  removeItem(key: string): void;
  setItem(key: string, value: string): void;
}

/** The page's `localStorage`; where there is none, or none is allowed, as {@link XanoObjectStorage}. */
export declare class XanoLocalStorage extends XanoBaseStorage {
  clear(): void;
  getAll(): Record<string, string>;
  getItem(key: string): string | null;
  removeItem(key: string): void;
  setItem(key: string, value: string): void;
}

/** The page's `sessionStorage`; where there is none, or none is allowed, as {@link XanoObjectStorage}. */
export declare class XanoSessionStorage extends XanoBaseStorage {
  clear(): void;
  getAll(): Record<string, string>;
  getItem(key: string): string | null;
  removeItem(key: string): void;
  setItem(key: string, value: string): void;
}

/**
 * The page's cookies. Where there is no page nothing is there, and keeping or forgetting something throws a
 * `ReferenceError`. A browser keeps about 4 KB a cookie and drops more without a word.
 */
export declare class XanoCookieStorage extends XanoBaseStorage {
  /** Default: for all pages of the site ("/"), for 30 days. */
  constructor(cookiePath?: string, expirationDays?: number);
  clear(): void;
  getAll(): Record<string, string>;
  getItem(key: string): string | null;
  removeItem(key: string): void;
  setItem(key: string, value: string): void;
}

/** A file of a program, for which there is no `File`. */
export declare class XanoFile<
  Content extends XanoFileContent = any,
> {
  /** `type` is the content type of its part of the form. Default: `application/octet-stream`. */
  constructor(name: string, buffer: Content, type?: string);
  /** What it holds, as it was given. */
  getBuffer(): Content;
  /** What the server is told of its name. */
  getName(): string;
}

/** What a file may hold. */
export type XanoFileContent = ArrayBuffer | ArrayBufferView | Blob | string;

/** The answer to a request. */
export declare class XanoResponse<Body = any> {
  /** For tests of an application's own; requests make theirs. */
  constructor(
    response: { data: Body | string | null; headers?: Record<string, any>; status: number },
    objectPrefix?: string,
  );
  /**
   * What was answered: JSON where it is any, or text; null after a stream. With a prefix, all keys of
   * its objects begin with it.
   */
  getBody(objectPrefix?: string): Body;
  /** By name in lower case, text; `set-cookie`, which only programs see, is a list. */
  getHeaders(): Record<string, any>;
  /** 200, say. */
  getStatusCode(): number;
}

/** The answer to a request was none from 200 to 299. */
export declare class XanoRequestError<Body = any> extends Error {
  constructor(message: string, response: XanoResponse<Body>);
  /** What the server answered. */
  getResponse: () => XanoResponse<Body>;
}

/** What a form is made of; kept for code that names the type. */
export interface XanoFormData {
  formData: any;
  hasFile: boolean;
  rawFormData: Record<any, any>;
}

/** What a request is made of; kept for code that names the type. */
export interface XanoRequestParams {
  bodyParams?: Record<any, any>;
  endpoint: string;
  headerParams?: Record<any, any>;
  method: XanoRequestType;
  streamingCallback?: XanoStreamingCallback;
  urlParams?: Record<any, any>;
}

/** A server-sent event. */
export declare class XanoEventStream {
  /** For tests of an application's own; streams make theirs. */
  constructor(event: { data: string; id: string; type: string });
  /** Its lines, with line feeds between them. */
  data: string;
  /** The last id that the stream told; empty without one. */
  id: string;
  /** "message" when the stream says nothing. */
  type: string;
  /** What the data is as JSON; null when it is none. */
  dataAsJSON(): any;
}

/** Called with each event of a stream, as it comes. When it throws, the stream ends. */
export type XanoStreamingCallback = (event: XanoEventStream) => void;

/**
 * What clients do besides realtime.
 *
 * A request throws at once when it cannot be made: "no_base_url" without an address,
 * "params_too_deep" for parameters that contain themselves. Its promise rejects with a
 * {@link XanoRequestError} when the answer is an error, and without an answer with an `Error` whose
 * `code` is "ERR_NETWORK", "ECONNABORTED" after the timeout, "ERR_CANCELED" by the signal, or
 * "event_too_large" when a stream holds an event of more than 16 MiB. Answers have no bound, and
 * without a `timeout` there is none.
 */
declare abstract class XanoBaseClient {
  /** Whether requests say who they are for. */
  hasAuthToken(): boolean;
  /** Who requests are for, from the next one on; it is stored, and null is nobody. */
  setAuthToken(token: string | null): this;
  /** Whether the next connection is for somebody; true also for a function that was not asked yet. */
  hasRealtimeAuthToken(): boolean;
  /** Counts from the next connection on; `realtimeReconnect()` makes one. A function is not stored. */
  setRealtimeAuthToken(token: string | null | XanoTokenProvider): this;
  /** Whether requests name a data source. */
  hasDataSource(): boolean;
  /** What requests send as `X-Data-Source`, from the next one on; null for nothing. */
  setDataSource(name: string | null): this;

  /**
   * Gets something; parameters go into the address. `onEvent` hears a stream of server-sent events, which
   * WebAssembly reads: with it an `Error` with `code` "csp_blocks_wasm" or "no_webassembly" is thrown at once
   * where the page does not allow that, or has none; with `slim` one with "not_initialized" before `init()`.
   */
  get<Body = any>(
    endpoint: string,
    params?: Record<string, any> | URLSearchParams | null,
    headers?: Record<string, any> | null,
    onEvent?: XanoStreamingCallback,
  ): Promise<XanoResponse<Body>>;
  /** The same without a body in the answer. */
  head(
    endpoint: string,
    params?: Record<string, any> | URLSearchParams | null,
    headers?: Record<string, any> | null,
  ): Promise<XanoResponse>;

  /** Removes something; parameters are the body: JSON, or a form where one is a file. */
  delete<Body = any>(
    endpoint: string,
    params?: Record<string, any> | FormData | null,
    headers?: Record<string, any> | null,
  ): Promise<XanoResponse<Body>>;
  /** Changes a part of something; parameters as with `delete`, events as with `get`. */
  patch<Body = any>(
    endpoint: string,
    params?: Record<string, any> | FormData | null,
    headers?: Record<string, any> | null,
    onEvent?: XanoStreamingCallback,
  ): Promise<XanoResponse<Body>>;
  /** Makes something, or asks for something to be done; parameters as with `delete`, events as with `get`. */
  post<Body = any>(
    endpoint: string,
    params?: Record<string, any> | FormData | null,
    headers?: Record<string, any> | null,
    onEvent?: XanoStreamingCallback,
  ): Promise<XanoResponse<Body>>;
  /** Puts something in the place of another; parameters as with `delete`, events as with `get`. */
  put<Body = any>(
    endpoint: string,
    params?: Record<string, any> | FormData | null,
    headers?: Record<string, any> | null,
    onEvent?: XanoStreamingCallback,
  ): Promise<XanoResponse<Body>>;
}

/** The same in a program: what it stores is forgotten with it. */
export declare class XanoNodeClient extends XanoClient {}

// What is declared without it is not in the package.
export {};

// Realtime.

/**
 * What an application talks to a server with: channels over one connection, and requests. Each client has a
 * connection of its own, made when the first channel is used and closed with the last one.
 *
 * @example
 * ```ts
 * import { XanoClient } from "xano-realtime";
 *
 * const xano = new XanoClient({
 *   instanceBaseUrl: "http://localhost:8787",
 *   realtimeConnectionCanonical: "CONNECTION_HASH",
 * });
 * const channel = xano.channel<{ text: string }>("marvel-chat-room", { history: true });
 * channel.on("message", ({ payload }) => console.log(payload.text));
 * channel.message({ text: "Hello World!" });
 * ```
 */
export declare class XanoClient extends XanoBaseClient {
  constructor(config?: XanoClientConfig | null);

  /**
   * A channel. Nothing connects before it is used.
   *
   * Throws an `Error` when the settings do not say where to connect. Its `code` is "no_base_url"
   * without an address, "invalid_base_url" when that is no `http:` or `https:` URL, and
   * "no_canonical" without a connection hash.
   *
   * @typeParam Payload what its messages carry
   * @typeParam Data what the backend's events carry
   * @typeParam Extras what its members' tokens add about them
   */
  channel<Payload = any, Data = any, Extras = Record<string, any>>(
    name: string,
    options?: XanoRealtimeChannelOptions,
  ): XanoRealtimeChannel<Payload, Data, Extras>;

  /** How its connection is. */
  readonly status: XanoRealtimeStatus;

  /**
   * Replaces the connection at once, also after one that ended for good. Does nothing while the
   * status is "idle".
   */
  realtimeReconnect(): this;

  /** Destroys all its channel objects, and with them the connection. */
  destroy(): void;

  /**
   * Makes a connection of its own with the same settings, and says what is wrong; nothing where all
   * is well. It takes 12 seconds at most where nobody answers, and twice that where nothing does. It never
   * rejects.
   *
   * @example
   * ```ts
   * import type { XanoClient } from "xano-realtime";
   *
   * export async function explain(xano: XanoClient) {
   *   for (const { code, message } of await xano.doctor()) console.warn(code, message);
   * }
   * ```
   */
  doctor(): Promise<XanoRealtimeFinding[]>;
}

/**
 * A channel object. Its first use connects: `on`, `message`, `history` and `ready` throw an `Error` with
 * `code` "no_websocket" where there is no `globalThis.WebSocket`, as in Node.js before version 22,
 * "csp_blocks_wasm" where the page's Content-Security-Policy lacks `'wasm-unsafe-eval'`,
 * "no_webassembly" where there is no WebAssembly, and with `slim` "not_initialized" before `init()`.
 */
export declare class XanoRealtimeChannel<Payload = any, Data = any, Extras = Record<string, any>> {
  private constructor();

  /** Its name, as it was given. */
  readonly channel: string;
  /** Its options, as they were given. */
  readonly options: XanoRealtimeChannelOptions;

  /**
   * Fulfilled once the channel is joined on this connection, or is already; uses the channel.
   * A join that the server has too much to do for ("overloaded", "rate_limited") is told to listeners
   * for errors, and asked again later by itself.
   * Rejects with a {@link XanoRealtimeFailure} when the server refuses the join, the connection ends
   * for good or the channel is destroyed. Each access gives a promise of its own, and none of them is
   * ever reported as unhandled.
   */
  readonly ready: Promise<unknown>;

  /**
   * What is known of the publications since the channel was last joined:
   *
   * - "continuous": all that came after it was delivered, each once and in order, and so was all that
   *   had been missed before it. Also while there is no connection.
   * - "gap": some were missed for good, and a "gap" action has told so.
   * - "unknown": it has not been joined yet, or the server (Xano's own) does not number its
   *   publications, so that losses cannot be seen.
   *
   * Private messages and events for one member have no number and are not covered.
   */
  readonly continuity: "continuous" | "gap" | "unknown";

  /**
   * Calls `onAction` with every action of this name, and `onError` with the channel's errors. A listener that
   * throws is reported to the browser, and the others are called.
   *
   * Throws a `TypeError` without a function.
   */
  on<Action extends keyof XanoRealtimeActions>(
    action: Action,
    onAction: (action: XanoRealtimeActions<Payload, Data, Extras>[Action]) => void,
    onError?: ((error: XanoRealtimeError) => void) | XanoListenerOptions | null,
    options?: XanoListenerOptions,
  ): this;
  /** Calls `onAction` with everything but errors, and `onError` with the channel's errors. */
  on(
    onAction: (action: XanoRealtimeAction<Payload, Data, Extras>) => void,
    onError?: ((error: XanoRealtimeError) => void) | XanoListenerOptions | null,
    options?: XanoListenerOptions,
  ): this;
  /** The same for an action that this SDK does not know yet. */
  on(
    action: string,
    onAction: (action: XanoRealtimeFrame<string, unknown, XanoRealtimeClientInfo<Extras> | undefined>) => void,
    onError?: ((error: XanoRealtimeError) => void) | XanoListenerOptions | null,
    options?: XanoListenerOptions,
  ): this;

  /** Ends what `on` began with the same action and function. That function is not called any more. */
  off(action: string, onAction: (action: never) => void): this;
  off(onAction: (action: never) => void): this;

  /**
   * `for await (const message of channel)`: the messages from now on, until `break` or `destroy()`. At
   * most 1,000 wait for the loop; when there are more, it gets those and then fails with the `code`
   * "buffer_full". It fails with "connection_closed" when the connection ends for good. Reconnects do
   * not end it; listen to "gap" to hear what was missed.
   */
  [Symbol.asyncIterator](): AsyncGenerator<XanoRealtimeMessage<Payload, Extras>, void, void>;

  /**
   * Sends a payload to the channel, as it is at this moment; `undefined` is sent as null. Without a
   * connection it waits for one, unless `queueOfflineActions` is false. At most 1,000 messages wait
   * for a connection and 1,000 for the server's answer, with 4 MiB together; beyond, they are refused
   * with "queue_full". See {@link XanoRealtimeError} for what else may refuse it.
   *
   * The receipt is fulfilled when the server has published the message, and rejects with a
   * {@link XanoRealtimeFailure} when it has not. Nobody has to look at it: a rejection is never
   * reported as unhandled, and listeners for errors hear of it too.
   *
   * It is published once. What a connection that breaks has not answered is sent again over the next
   * one under the same name, in its place before newer messages, and the server takes it once. What
   * the server has too much to do for ("overloaded", "rate_limited") is sent again up to five times,
   * later and later; it may then come behind messages that were under way with it, as the receipts'
   * `seq` tell. Everything else that the server refuses, a full disk ("storage_failed") too, is told
   * at once.
   *
   * The server remembers the names of a channel's last 1,000 messages, for two minutes. Where more than
   * that were sent to the channel by anybody while this connection was gone, a message that is sent
   * again may be published twice.
   *
   * Xano's own server does not acknowledge: a message is then sent at most once, and its receipt is
   * fulfilled with an empty object when it is handed to the connection.
   *
   * Throws a `TypeError` when JSON cannot hold the payload.
   */
  message(
    payload: Payload,
    options?: XanoRealtimeSendOptions,
  ): Promise<XanoRealtimeReceipt>;

  /** Asks for the kept messages; they come as a "history" action. */
  history(): void;
  /**
   * Asks for at most `limit` of the kept messages, the newest whose `seq` is below `before`. They come
   * with the promise, and to no listener. It rejects like a receipt, and is never reported as
   * unhandled; a reconnect does not disturb it.
   */
  history(page: XanoRealtimeHistoryRequest): Promise<XanoRealtimeHistoryPage<Payload, Data, Extras>>;

  /** Who is here. Empty without a connection, and for channels without the `presence` option. */
  getPresence(): XanoRealtimeClient<Payload, Extras>[];

  /**
   * Ends the use of the channel and forgets its listeners. The last channel closes the connection.
   * Using the channel again starts it again.
   */
  destroy(): void;
}

/** A member of a channel, as `getPresence()` gives it. */
export declare class XanoRealtimeClient<Payload = any, Extras = Record<string, any>>
  implements XanoRealtimeClientInfo<Extras>
{
  private constructor();

  extras: Extras;
  permissions: XanoRealtimePermissions;
  socketId: string;

  /** Sends a payload to this member alone; the receipt is that of `channel.message()`. */
  message(
    payload: Payload,
    options?: XanoRealtimeSendOptions,
  ): Promise<XanoRealtimeReceipt>;
  /** Asks for the channel's kept messages; they come as a "history" action. */
  history(): void;
}
