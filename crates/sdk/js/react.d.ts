import type { ReactElement, ReactNode } from "react";

import type {
  XanoClient,
  XanoRealtimeActions,
  XanoRealtimeChannel,
  XanoRealtimeChannelOptions,
  XanoRealtimeClient,
  XanoRealtimeEvent,
  XanoRealtimeMessage,
  XanoRealtimeReceipt,
  XanoRealtimeSendOptions,
  XanoRealtimeStatus,
} from "./index.js";

/** What {@link XanoProvider} takes. */
export interface XanoProviderProps {
  /**
   * The client whose channels the components below use, or null while there is none: hooks are then idle.
   * Make it outside of components. Another client takes the place of the one before: its channels are
   * joined, and the former's are left within a second.
   *
   * A function is called once for each provider, in a browser, when the client is first needed; so
   * nothing of the SDK runs where a page is rendered on a server. Functions that follow are not called.
   */
  client: XanoClient | (() => XanoClient) | null;
  /** Whose hooks get it. */
  children?: ReactNode;
}

/**
 * Gives a client to the hooks below it. It opens no connection by itself.
 *
 * Throws a `TypeError` when `client` is something else, `undefined` say.
 */
export declare function XanoProvider(props: XanoProviderProps): ReactElement;

/** By action, whom to call. */
export type XanoChannelListeners<Payload = unknown, Data = unknown, Extras = Record<string, unknown>> = {
  [Action in keyof XanoRealtimeActions]?: (action: XanoRealtimeActions<Payload, Data, Extras>[Action]) => void;
};

/**
 * Options of {@link useChannel}. Components that use one channel share it: it is joined once, with what
 * any of them wants. There is no `idleTimeout`: a name that becomes null leaves the channel.
 */
export interface UseChannelOptions<Payload = unknown, Data = unknown, Extras = Record<string, unknown>>
  extends Omit<XanoRealtimeChannelOptions, "idleTimeout"> {
  /** How many messages, and how many events, to keep: the newest. Default: 100; with 0 they cause no rendering. */
  limit?: number;
  /**
   * Called with each action as it comes, also those that `messages` no longer holds. The functions of the
   * latest rendering are called; they need not stay the same. One that throws is reported to the browser.
   */
  on?: XanoChannelListeners<Payload, Data, Extras>;
}

/** What is wrong with a channel. */
export interface XanoChannelError extends Error {
  /** One of the codes of `channel()`, of the server, or of the SDK; Xano's own server has none. */
  code?: string;
  /** What was refused: "join", "message" or "history"; absent when it is about the connection. */
  action?: string;
}

/** What {@link useChannel} gives; the same object until something of it changes. */
export interface XanoChannelState<Payload = unknown, Data = unknown, Extras = Record<string, unknown>> {
  /**
   * The channel object, for what the hook does not do: older pages of the history, say. Null on a server,
   * in the first rendering, after a destroy and where it cannot be made; its `destroy()` is the hook's to call.
   */
  readonly channel: XanoRealtimeChannel<Payload, Data, Extras> | null;
  /** The newest messages, oldest first: those of the history, where it is asked for, and those since. */
  readonly messages: readonly XanoRealtimeMessage<Payload, Extras>[];
  /** The newest of what the backend pushed, likewise. */
  readonly events: readonly XanoRealtimeEvent<Data>[];
  /**
   * The last thing that went wrong; never thrown. A refused join stays until the channel is joined, a refused
   * message until the next one is published, and what is wrong with the connection until the next one. Where
   * no component that uses the channel reads it or has an `on.error`, errors go to the console. The code is
   * "channel_destroyed", and that is for no console, when the client or the channel object was destroyed;
   * what uses the channel from then on joins it anew.
   */
  readonly error: XanoChannelError | null;
  /** Whether the channel is joined on the present connection. */
  readonly ready: boolean;
  /** See {@link XanoRealtimeChannel.continuity}. */
  readonly continuity: "continuous" | "gap" | "unknown";
  /** Who this client is in the channel: what others see as `client.socketId`. New with each connection. */
  readonly socketId: string | null;
  /**
   * Sends a payload as {@link XanoRealtimeChannel.message} does. Call it in handlers and effects, not while
   * rendering. The same function as long as client and name are. The channel is kept until the answer
   * comes, also when the component is gone by then.
   *
   * Without a client or a name the receipt rejects with "no_client".
   */
  readonly send: (
    payload: Payload,
    options?: XanoRealtimeSendOptions,
  ) => Promise<XanoRealtimeReceipt>;
}

/**
 * Uses a channel as long as the component is there, and a second longer; null uses none.
 *
 * @typeParam Payload what its messages carry
 * @typeParam Data what the backend's events carry
 * @typeParam Extras what its members' tokens add about them
 */
export declare function useChannel<Payload = unknown, Data = unknown, Extras = Record<string, unknown>>(
  name: string | null | undefined,
  options?: UseChannelOptions<Payload, Data, Extras>,
): XanoChannelState<Payload, Data, Extras>;

/**
 * Who is in a channel, oneself included; uses it like {@link useChannel}. Empty without a connection, on a
 * server, and where the channel does not tell.
 *
 * @typeParam Extras what the members' tokens add about them
 */
export declare function usePresence<Extras = Record<string, unknown>>(
  name: string | null | undefined,
): readonly XanoRealtimeClient<unknown, Extras>[];

/**
 * How the client's connection is, whoever uses it; "idle" on a server and without a client. Changes that
 * nothing tells of, from "waiting" to "connecting" say, show within a second.
 */
export declare function useConnectionStatus(): XanoRealtimeStatus;

/** The provider's client; null on a server where it is still to be made. */
export declare function useXanoClient(): XanoClient | null;
