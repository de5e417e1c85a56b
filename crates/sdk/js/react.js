"use client";
// Hooks for React. The client is the application's, so nothing of the SDK is imported here, and there is
// one copy of it whatever a bundler does.
//
// Rendering only reads. Channels are taken into use by effects, which a server never runs, and given up
// a little later than the last component that used them: what React takes down and puts up again, in
// StrictMode, with a new key or on the next page, neither leaves nor joins.

import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useInsertionEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";

/** How long a channel that no component uses is kept, in milliseconds. */
const LINGER = 1_000;
/** How long what follows a change is collected before components hear of it, in milliseconds. */
const FRAME = 16;
/** How often to look whether the connection's state has changed without a word, in milliseconds. */
const GLANCE = 1_000;
/** How many messages a component gets when it does not say. */
const LIMIT = 100;

const Source = createContext(undefined);

export function XanoProvider({ client, children }) {
  const isMaker = typeof client === "function";
  if (!isMaker && client !== null && typeof client?.channel !== "function") throw new TypeError(NO_CLIENT);
  const [lazy, setLazy] = useState(() => isMaker && new Lazy(client));
  // It was no function before.
  if (isMaker && !lazy) setLazy(new Lazy(client));
  return createElement(Source.Provider, { value: isMaker ? lazy : client }, children);
}

export function useXanoClient() {
  const source = useSource("useXanoClient");
  return useSyncExternalStore(
    () => ignore,
    () => attempt(() => clientOf(source)) ?? null,
    () => (source instanceof Lazy ? null : source),
  );
}

export function useConnectionStatus() {
  const source = useSource("useConnectionStatus");
  const watch = useCallback((notify) => watchStatus(source, notify), [source]);
  return useSyncExternalStore(watch, () => statusOf(source), () => "idle");
}

export function usePresence(name) {
  const source = useSource("usePresence");
  useHold(source, name, PRESENCE);
  return useRead(source, name, (held) => held.members);
}

export function useChannel(name, options = {}) {
  const { history = false, presence = false, queueOfflineActions = true, on } = options;
  const limit = bound(options.limit);
  const source = useSource("useChannel");
  const reader = useRef({ on, takesErrors: false }).current;
  // A new function with each render is the usual case, and no reason to join again.
  useInsertionEffect(() => void (reader.on = on));
  const wanted = useMemo(
    () => ({ history: !!history, presence: !!presence, queueOfflineActions: !!queueOfflineActions, limit, reader }),
    [history, presence, queueOfflineActions, limit, reader],
  );
  useHold(source, name, wanted);
  const state = useRead(source, name, (held) => held.state);
  const messages = useRead(source, name, (held) => (limit > 0 ? held.messages : NOBODY.messages));
  const events = useRead(source, name, (held) => (limit > 0 ? held.events : NOBODY.events));
  const send = useCallback(
    (...message) => sendTo(source, name, queueOfflineActions, message),
    [source, name, queueOfflineActions],
  );
  return useMemo(
    () => ({
      ...state,
      messages: newest(messages, limit),
      events: newest(events, limit),
      send,
      // Who reads it takes the errors; otherwise they go to the console.
      get error() {
        reader.takesErrors = true;
        return state.error;
      },
    }),
    [state, messages, events, limit, send, reader],
  );
}

function useSource(hook) {
  const source = useContext(Source);
  if (source === undefined) throw new Error(`${hook}() needs an <XanoProvider client={…}> around the component.`);
  return source;
}

function useHold(source, name, wanted) {
  useEffect(() => {
    if (source && name != null) return held(source, name).hold({ ...wanted });
  }, [source, name, wanted]);
}

/** A part of what is held of a channel; the same value until that part changes. */
function useRead(source, name, pick) {
  const watch = useCallback(
    (notify) => (source && name != null ? held(source, name).watch(notify) : ignore),
    [source, name],
  );
  const read = () => pick(channels.get(source)?.get(name) ?? NOBODY);
  return useSyncExternalStore(watch, read, () => pick(NOBODY));
}

function sendTo(source, name, queueOfflineActions, message) {
  if (source && name != null) return held(source, name).send(queueOfflineActions, message);
  return rejected(failure({ message: NOT_YET, code: "no_client", action: "message" }));
}

/** A client that is made when it is first needed, which is in a browser. */
class Lazy {
  #make;
  client = null;

  constructor(make) {
    this.#make = make;
  }

  get() {
    return (this.client ??= this.#make());
  }
}

function clientOf(source) {
  return source instanceof Lazy ? source.get() : source;
}

function statusOf(source) {
  const client = source instanceof Lazy ? source.client : source;
  return client?.status ?? "idle";
}

/** By client, who wants to hear of its state, and the timer that they share. */
const statusWatches = new WeakMap();

function watchStatus(source, notify) {
  if (!source) return ignore;
  if (!statusWatches.has(source)) statusWatches.set(source, { all: new Set(), timer: null });
  const watch = statusWatches.get(source);
  // What begins without an event, the next attempt say, or by a channel of the application's own.
  if (watch.all.size === 0) watch.timer = setInterval(() => tellStatus(source), GLANCE);
  watch.all.add(notify);
  return () => {
    watch.all.delete(notify);
    if (watch.all.size === 0) clearInterval(watch.timer);
  };
}

function tellStatus(source) {
  statusWatches.get(source)?.all.forEach((notify) => notify());
}

/** By client and name, the channels that components use. */
const channels = new WeakMap();

function held(source, name) {
  if (!channels.has(source)) channels.set(source, new Map());
  const names = channels.get(source);
  if (!names.has(name)) names.set(name, new Held(source, name));
  return names.get(name);
}

/** One channel for all components that use its name, and what came of it. */
class Held {
  #source;
  #name;
  #users = new Set();
  #watchers = new Set();
  /** By what was wanted. Who is replaced stays for what was sent by it; together they join once. */
  #objects = new Map();
  #channel = null;
  /** The one whose end would be heard. */
  #followed = null;
  #connected = false;
  #live = { ready: false, socketId: null, error: null };
  #limit = 0;
  #lists = { message: [], event: [] };
  #changed = new Set();
  #frame = null;
  #leaving = null;
  state = NOBODY.state;
  messages = NOBODY.messages;
  events = NOBODY.events;
  members = NOBODY.members;

  constructor(source, name) {
    this.#source = source;
    this.#name = name;
    this.#linger();
  }

  /** Uses the channel until the function that comes back is called. */
  hold(user) {
    this.#users.add(user);
    clearTimeout(this.#leaving);
    // With what all components of one commit want.
    queueMicrotask(() => this.#open());
    return () => {
      this.#users.delete(user);
      this.#linger();
    };
  }

  watch(notify) {
    this.#watchers.add(notify);
    return () => void this.#watchers.delete(notify);
  }

  /** Holds the channel until the message is answered, whatever becomes of the component. */
  send(queueOfflineActions, message) {
    const release = this.hold({ queueOfflineActions });
    let receipt;
    try {
      this.#open();
      receipt = this.#channel?.message(...message) ?? rejected(this.#live.error);
    } catch (error) {
      release();
      throw error;
    }
    const settle = (isPublished) => {
      release();
      if (isPublished && this.#live.error?.action === "message") this.#change("state", { error: null });
    };
    receipt.then(() => settle(true), () => settle(false));
    return receipt;
  }

  #linger() {
    clearTimeout(this.#leaving);
    if (this.#users.size === 0) this.#leaving = setTimeout(() => this.#leave(), LINGER);
  }

  #leave() {
    channels.get(this.#source).delete(this.#name);
    clearTimeout(this.#frame);
    this.#channel = null;
    for (const channel of this.#objects.values()) channel.destroy();
    tellStatus(this.#source);
  }

  #open() {
    const users = [...this.#users];
    if (!users.length) return;
    const limits = users.flatMap(({ limit }) => limit ?? []);
    if (limits.length) this.#limit = Math.max(...limits);
    const wanted = {
      history: users.some(({ history }) => history),
      presence: users.some(({ presence }) => presence),
      queueOfflineActions: users.some(({ queueOfflineActions }) => queueOfflineActions),
    };
    const key = Object.values(wanted).join();
    const known = this.#objects.get(key);
    if (known && known === this.#channel) return;
    try {
      const next = known ?? clientOf(this.#source).channel(this.#name, wanted);
      next.on(this.#take, this.#takeError);
      this.#channel?.off(this.#take);
      this.#objects.set(key, next);
      this.#channel = next;
      this.#follow(next);
      this.#change("members", {});
    } catch (error) {
      this.#fail(error);
    }
    tellStatus(this.#source);
  }

  /** Hears when the channel's use ends without us: the client is destroyed, say. */
  async #follow(channel) {
    if (this.#followed === channel) return;
    this.#followed = channel;
    try {
      for await (const _ of channel);
      if (this.#channel === channel) this.#end();
    } catch ({ code }) {
      // Of a connection that has ended for good the listeners know; it may be followed by another.
      if (this.#followed === channel) this.#followed = null;
      if (code === "buffer_full") this.#follow(channel);
    }
  }

  /** Who uses it again begins anew. */
  #end() {
    this.#objects.clear();
    this.#channel = this.#followed = null;
    this.#connected = false;
    // Whoever did it knows: it is told, but it is nothing for the console.
    const error = failure({ message: DESTROYED, code: "channel_destroyed" });
    this.#change("members", { ready: false, socketId: null, error });
    tellStatus(this.#source);
  }

  #take = (action) => {
    const { payload } = action;
    switch (action.action) {
      case "join":
        this.#change("state", { ready: true, socketId: action.client?.socketId ?? payload?.socketId ?? null });
        // What is wrong with the connection, a token that has expired say, still is.
        if (this.#live.error?.action) this.#change("state", { error: null });
        break;
      case "leave":
        this.#change("state", { ready: false });
        break;
      case "connection_status":
        this.#takeStatus(payload);
        break;
      case "message":
      case "event":
        this.#keep(action.action, [...this.#lists[action.action], action]);
        break;
      case "history":
        for (const kind of ["message", "event"]) this.#keep(kind, merged(this.#lists[kind], payload.history, kind));
        break;
      case "presence_full":
      case "presence_update":
        this.#change("members", {});
        break;
      default:
        this.#change("state", {});
    }
    this.#tell(action);
  };

  #takeError = (frame) => {
    this.#tell(frame);
    this.#fail(failure(frame.payload));
  };

  #takeStatus(status) {
    tellStatus(this.#source);
    // Another channel object of ours is told as well of a connection that was there before.
    const isNew = !this.#connected;
    this.#connected = status.status === "connected";
    if (this.#connected) {
      if (this.#channel) this.#follow(this.#channel);
      if (isNew) this.#change("state", { error: null });
      return;
    }
    this.#change("members", { ready: false, socketId: null });
    // What ended it may have been told in an error of its own, which is about no request.
    if (status.retryIn !== undefined || (this.#live.error && !this.#live.error.action)) return;
    const { code, reason } = status;
    this.#fail(failure({ message: `The connection ended for good. Close code: ${code} ${reason}`.trim(), code: "connection_closed" }));
  }

  #fail(error) {
    this.#change("state", error.action === "join" ? { ready: false, error } : { error });
    const isTaken = [...this.#users].some(({ reader }) => reader?.takesErrors || reader?.on?.error);
    if (!isTaken) console.error(`xano-realtime: ${UNTAKEN}`, this.#name, error);
  }

  /** Calls the components' own functions; one that throws does not keep the others from hearing. */
  #tell(action) {
    for (const { reader } of [...this.#users]) {
      if (!reader?.on || !Object.hasOwn(reader.on, action.action)) continue;
      try {
        reader.on[action.action]?.(action);
      } catch (error) {
        report(error);
      }
    }
  }

  #keep(kind, list) {
    this.#lists[kind] = newest(list, this.#limit);
    this.#change(kind, {});
  }

  /** Components hear of a first change at once, and of those behind it together. */
  #change(part, live) {
    Object.assign(this.#live, live);
    this.#changed.add(part);
    if (this.#frame !== null) return;
    this.#frame = setTimeout(() => {
      this.#frame = null;
      if (this.#changed.size) this.#publish();
    }, FRAME);
    queueMicrotask(() => this.#publish());
  }

  #publish() {
    if (this.#changed.has("message")) this.messages = this.#lists.message;
    if (this.#changed.has("event")) this.events = this.#lists.event;
    if (this.#changed.has("members")) this.members = either(this.members, this.#channel?.getPresence() ?? []);
    this.#changed.clear();
    const channel = this.#channel;
    const state = { channel, ...this.#live, continuity: channel?.continuity ?? "unknown" };
    if (Object.keys(state).some((key) => state[key] !== this.state[key])) this.state = state;
    for (const notify of [...this.#watchers]) notify();
  }
}

/** The history, and what came besides: private messages, and what is newer or older than it. */
function merged(list, history, kind) {
  const kept = history.filter(({ action }) => action === kind);
  const entries = kept.map((entry) => ({ ...entry, client: entry.client ?? undefined }));
  // Xano's own server names nothing, and sends the whole history with each join.
  if (!entries.every(({ id }) => id)) return entries;
  const news = new Map(entries.map((entry) => [entry.id, entry]));
  const known = list.map((one) => {
    const entry = news.get(one.id);
    news.delete(one.id);
    return entry ?? one;
  });
  return [...known, ...news.values()].sort(inTime);
}

/** Within one millisecond what has no number stays as it came. */
function inTime(one, other) {
  return (one.ts ?? 0) - (other.ts ?? 0) || one.seq - other.seq || 0;
}

/** The list as it was, where nothing has changed. */
function either(before, now) {
  return before.length === now.length && before.every((member, index) => member === now[index]) ? before : now;
}

function newest(list, limit) {
  return list.length > limit ? list.slice(list.length - limit) : list;
}

function failure({ message, code, action }) {
  return Object.assign(new Error(message), { code, action });
}

/** Who does not look at it need not fear an unhandled rejection. */
function rejected(error) {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}

function report(error) {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

function attempt(make) {
  try {
    return make();
  } catch {
    // The hook that uses it says so.
    return undefined;
  }
}

function ignore() {}

/** How many messages a component wants: what is no count is none. */
function bound(limit = LIMIT) {
  return limit > 0 ? Math.floor(limit) : 0;
}

const NOBODY = Object.freeze({
  state: Object.freeze({ channel: null, ready: false, socketId: null, error: null, continuity: "unknown" }),
  messages: Object.freeze([]),
  events: Object.freeze([]),
  members: Object.freeze([]),
});
const PRESENCE = Object.freeze({ presence: true });
const NO_CLIENT =
  "<XanoProvider> needs a client: an XanoClient, a function that makes one, or null while there is none.";
const NOT_YET = "There is nothing to send by: the <XanoProvider> has no client yet, or useChannel() has no name.";
const DESTROYED = "The channel was destroyed, or its client. What uses it from now on joins it anew.";
const UNTAKEN = "an error came and no component reads useChannel().error or has an on.error";
