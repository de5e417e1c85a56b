/** Settings of a client. The caller's object is read once and never changed. */
export interface XanoClientConfig {
  /** Address of the Xano instance, or of a self-hosted server: `http://localhost:8787`. */
  instanceBaseUrl?: string | null;
  /** The same, as parts of Xano's documentation spell it. */
  instanceBaseURL?: string | null;
  /** Address of any API group of the instance; only its scheme, host and port count. */
  apiGroupBaseUrl?: string | null;
  /** The connection hash from the realtime settings. */
  realtimeConnectionCanonical?: string | null;
  /** The same, as Xano's documentation spells it. */
  realtimeCanonical?: string | null;
  /** @deprecated Use `realtimeConnectionCanonical`. */
  realtimeConnectionHash?: string | null;
  /** Who the connection is for; anonymous without one. */
  realtimeAuthToken?: string | null;
}

export interface XanoRealtimeChannelOptions {
  /** Get the kept messages with each join. Default: false. */
  history?: boolean;
  /** Get who is here, and every change. Default: false. */
  presence?: boolean;
  /** Keep what is sent without a connection until there is one. Default: true. */
  queueOfflineActions?: boolean;
}

/** Options of a message; further keys are sent along as they are. */
export interface XanoRealtimeActionOptions {
  /** Only for authenticated members. */
  authenticated?: boolean;
  /** Set by the SDK to the channel's name, whatever it is here. */
  channel?: string;
  /** Only for this member. */
  socketId?: string | null;
}

/** What one client may know of another. */
export interface XanoRealtimeClientInfo<Extras = Record<string, any>> {
  extras: Extras;
  /** Zeros for anonymous clients. */
  permissions: { dbo_id: number; row_id: number | string };
  /** New with every connection. */
  socketId: string;
}

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
export type ERealtimeAction = (typeof ERealtimeAction)[keyof typeof ERealtimeAction];

export declare const ERealtimeConnectionStatus: {
  readonly Connected: "connected";
  readonly Disconnected: "disconnected";
};
export type ERealtimeConnectionStatus =
  (typeof ERealtimeConnectionStatus)[keyof typeof ERealtimeConnectionStatus];

export declare const ERealtimePresenceAction: {
  readonly Join: "join";
  readonly Leave: "leave";
};
export type ERealtimePresenceAction =
  (typeof ERealtimePresenceAction)[keyof typeof ERealtimePresenceAction];

interface Frame<Action extends string, Payload, Extras> {
  action: Action;
  /** Who caused it; undefined when the server did. */
  client?: XanoRealtimeClientInfo<Extras>;
  options?: XanoRealtimeActionOptions;
  payload: Payload;
}

/** What servers of this project add to what they keep; Xano's own does not. */
interface Publication {
  id?: string;
  /** Milliseconds since 1970. */
  ts?: number;
  seq?: number;
}

export interface XanoRealtimeMessage<Payload = any, Extras = Record<string, any>>
  extends Frame<"message", Payload, Extras>, Publication {}

/** Pushed by the backend. */
export interface XanoRealtimeEvent<Data = any>
  extends Frame<"event", { data: Data; dbo_id: number; row_id: number | string }, never>,
    Publication {}

/** An entry of a history, as the server keeps it. */
export type XanoRealtimeHistoryEntry<
  Payload = any,
  Data = any,
  Extras = Record<string, any>,
> = Publication &
  (
    | {
        action: "message";
        client: XanoRealtimeClientInfo<Extras> | null;
        options: XanoRealtimeActionOptions;
        payload: Payload;
      }
    | {
        action: "event";
        client: null;
        options: XanoRealtimeActionOptions;
        payload: { data: Data; dbo_id: number; row_id: number | string };
      }
  );

export interface XanoRealtimeHistory<Payload = any, Data = any, Extras = Record<string, any>>
  extends Frame<
    "history",
    { history: XanoRealtimeHistoryEntry<Payload, Data, Extras>[] },
    never
  > {}

export interface XanoRealtimeConnectionStatus
  extends Frame<
    "connection_status",
    | { status: "connected" }
    | {
        status: "disconnected";
        /** The close code. */
        code: number;
        /** The close frame's reason; often empty. */
        reason: string;
        /** Milliseconds until the next attempt; absent when there will be none. */
        retryIn?: number;
      },
    never
  > {}

/**
 * What was refused and why. Beyond the server's codes (see PROTOCOL.md) there are three that the SDK
 * makes itself, each once for every call it is about, and never before that call has returned:
 *
 * - "queue_full": too much waits for a connection already.
 * - "message_too_large": as JSON in UTF-8 the frame has more than 1 MiB (1,048,576 bytes), which
 *   this project's server answers by ending the connection. The limit of Xano's own is not known.
 * - "connection_closed": the connection ended for good (a "disconnected" without `retryIn`), so what
 *   waited was not sent, and neither is what comes until `realtimeReconnect()` is called or another
 *   channel object is used.
 */
export interface XanoRealtimeError
  extends Frame<"error", { message: string; code?: string; action?: string }, never> {}

/** The server's answer to a join. Its fields are those of this project's server. */
export interface XanoRealtimeJoin<Extras = Record<string, any>>
  extends Frame<
    "join",
    {
      socketId?: string;
      epoch?: string;
      seq?: number;
      history?: number;
      presence?: boolean;
      features?: string[];
      pingInterval?: number;
    } | null,
    Extras
  > {}

export interface XanoRealtimeLeave<Extras = Record<string, any>>
  extends Frame<"leave", unknown, Extras> {}

export interface XanoRealtimePresenceFull<Extras = Record<string, any>>
  extends Frame<"presence_full", { presence: XanoRealtimeClientInfo<Extras>[] }, never> {}

export interface XanoRealtimePresenceUpdate<Extras = Record<string, any>>
  extends Frame<
    "presence_update",
    { action: ERealtimePresenceAction; presence: XanoRealtimeClientInfo<Extras> },
    never
  > {}

/** By action, what a listener is called with. */
export interface XanoRealtimeActions<Payload = any, Data = any, Extras = Record<string, any>> {
  connection_status: XanoRealtimeConnectionStatus;
  error: XanoRealtimeError;
  event: XanoRealtimeEvent<Data>;
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
> = XanoRealtimeActions<Payload, Data, Extras>[Exclude<ERealtimeAction, "error">];

export declare class XanoClient {
  /**
   * Throws an `Error` with `code` "csp_blocks_wasm" where the page's Content-Security-Policy lacks
   * `'wasm-unsafe-eval'`, or "no_webassembly" where there is no WebAssembly.
   */
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

  hasRealtimeAuthToken(): boolean;
  /** Counts from the next connection on; `realtimeReconnect()` makes one. */
  setRealtimeAuthToken(token: string | null): this;
  /**
   * Replaces the connection at once, also after one that ended for good. Does nothing while no
   * channel is in use.
   */
  realtimeReconnect(): this;
}

/**
 * A channel object. Its first use connects: `on`, `message` and `history` throw an `Error` with
 * `code` "no_websocket" where there is no `globalThis.WebSocket`, as in Node.js before version 22.
 */
export declare class XanoRealtimeChannel<
  Payload = any,
  Data = any,
  Extras = Record<string, any>,
> {
  private constructor();

  readonly channel: string;
  readonly options: XanoRealtimeChannelOptions;

  /** Calls `onAction` with every action of this name, and `onError` with the channel's errors. */
  on<Action extends ERealtimeAction>(
    action: Action,
    onAction: (action: XanoRealtimeActions<Payload, Data, Extras>[Action]) => void,
    onError?: (error: XanoRealtimeError) => void,
  ): this;
  /** Calls `onAction` with everything but errors, and `onError` with the channel's errors. */
  on(
    onAction: (action: XanoRealtimeAction<Payload, Data, Extras>) => void,
    onError?: (error: XanoRealtimeError) => void,
  ): this;
  /** The same for an action that this SDK does not know yet. */
  on(
    action: string,
    onAction: (action: Frame<string, unknown, Extras>) => void,
    onError?: (error: XanoRealtimeError) => void,
  ): this;

  /**
   * Sends a payload to the channel, as it is at this moment; `undefined` is sent as null. Without a
   * connection it waits for one, unless `queueOfflineActions` is false. At most 1,000 messages and
   * 4 MiB wait; beyond, listeners for errors hear "queue_full". See {@link XanoRealtimeError} for
   * what else may refuse it.
   *
   * It is delivered at most once: what was handed to a connection that breaks right then may be lost,
   * and is not sent again. What waited for a connection is not affected.
   *
   * Throws a `TypeError` when JSON cannot hold the payload.
   */
  message(payload?: Payload, options?: XanoRealtimeActionOptions & Record<string, unknown>): void;

  /** Asks for the kept messages; they come as a "history" action. */
  history(): void;

  /** Who is here. Empty without a connection, and for channels without the `presence` option. */
  getPresence(): XanoRealtimeClient<Payload, Extras>[];

  /**
   * Ends the use of the channel and forgets its listeners. The last channel closes the connection.
   * Using the channel again starts it again.
   */
  destroy(): void;
}

/** A member of a channel. */
export declare class XanoRealtimeClient<Payload = any, Extras = Record<string, any>>
  implements XanoRealtimeClientInfo<Extras>
{
  private constructor();

  extras: Extras;
  permissions: { dbo_id: number; row_id: number | string };
  socketId: string;

  /** Sends a payload to this member alone. */
  message(payload?: Payload, options?: XanoRealtimeActionOptions & Record<string, unknown>): void;
  /** Asks for the channel's kept messages; they come as a "history" action. */
  history(): void;
}
