// The classes applications know. What they do is decided in Rust; here is only what they look like.

import { realtimeAddress } from "./address.js";
import { examine } from "./doctor.js";
import { RestClient, realtimeToken } from "./rest.js";
import { channelOf, start } from "./start.js";
import { XanoObjectStorage } from "./storage.js";

export * from "./enums.js";
export {
  XanoContentType,
  XanoEventStream,
  XanoFile,
  XanoRequestError,
  XanoRequestType,
  XanoResponse,
  XanoStorageKeys,
} from "./rest.js";
export * from "./storage.js";

/** How many messages wait for a `for await` at most. */
const BUFFER = 1000;

// The minifier renames classes; `name` is what consoles show.
export class XanoClient extends RestClient {
  static name = "XanoClient";
  /** From the first use of a channel on: what only asks the API does without. */
  #core;
  #config;
  /** Whom to ask for the token of each connection; null where it is known. */
  #provider = null;
  /** Who the first connection is for. */
  #token = null;

  constructor(config) {
    super(config);
    this.#config = { ...config };
    this.#setProvider(config?.realtimeAuthToken);
  }

  get status() {
    return this.#core?.status ?? "idle";
  }

  channel(name, options = {}) {
    const address = realtimeAddress(this.#config);
    const text = `${name}`;
    this.#setToken();
    return new XanoRealtimeChannel(name, options, () => channelOf(this.#use(address), text, options));
  }

  hasRealtimeAuthToken() {
    return this.#provider !== null || super.hasRealtimeAuthToken();
  }

  setRealtimeAuthToken(token) {
    super.setRealtimeAuthToken(token);
    this.#setToken();
    this.#setProvider(token);
    return this;
  }

  realtimeReconnect() {
    this.#setToken();
    this.#core?.reconnect();
    return this;
  }

  destroy() {
    this.#core?.destroy();
  }

  doctor() {
    return examine(this.#config, this.#provider ?? this[realtimeToken]());
  }

  #use(address) {
    if (!this.#core) {
      this.#core = start(address, this.#token, this.#provider !== null);
      if (this.#provider) this.#tellProvider();
    }
    return this.#core;
  }

  #setToken() {
    this.#token = this[realtimeToken]();
    this.#core?.setToken(this.#token);
  }

  #setProvider(token) {
    this.#provider = typeof token === "function" ? token : null;
    this.#tellProvider();
  }

  #tellProvider() {
    const provider = this.#provider;
    this.#core?.setProvider(provider && ((connection) => this.#ask(provider, connection)));
  }

  async #ask(provider, connection) {
    try {
      const token = await provider();
      this.#core.giveToken(connection, false, token == null ? null : `${token}`);
    } catch (error) {
      console.error("xano-realtime: realtimeAuthToken() failed", error);
      this.#core.giveToken(connection, true);
    }
  }
}

/** The same where nothing is kept when the program ends. */
export class XanoNodeClient extends XanoClient {
  static name = "XanoNodeClient";

  constructor(config) {
    super({ ...config, storage: config?.storage ?? new XanoObjectStorage() });
  }
}

export class XanoRealtimeChannel {
  static name = "XanoRealtimeChannel";
  /** From the first use on. */
  #core;
  #make;
  /** By what the server told about it, so that a member is the same object each time. */
  #members = new WeakMap();
  /** Ends each `for await` that runs; told when the channel's use ends, while there are any. */
  #loops = new Set();
  #watched = false;

  constructor(channel, options, make) {
    this.#make = make;
    Object.defineProperties(this, {
      channel: { value: channel, enumerable: true },
      options: { value: options, enumerable: true },
    });
  }

  get ready() {
    return answer((settle) => this.#use().wait(true, settle));
  }

  on(...args) {
    const signal = args.at(-1)?.signal;
    if (signal) {
      args.pop();
      if (signal.aborted) return this;
      signal.addEventListener("abort", () => this.off(...args), { once: true });
    }
    const [action, listener, onError] = told(args);
    if (!listener && !onError) throw new TypeError("on() needs a function to call");
    this.#use().on(action, listener, onError);
    return this;
  }

  off(...args) {
    this.#core?.off(...told(args));
    return this;
  }

  async *[Symbol.asyncIterator]() {
    const messages = [];
    let end, wake;
    const stop = (why) => {
      end ??= why;
      wake?.();
    };
    const take = (message) => {
      if (messages.push(message) > BUFFER) {
        messages.pop();
        this.off("message", take);
        stop({ code: "buffer_full", message: "Too many messages wait for this loop." });
      } else wake?.();
    };
    this.on("message", take);
    this.#loops.add(stop);
    this.#watch();
    try {
      for (;;) {
        while (messages.length) yield messages.shift();
        if (end?.code === "channel_destroyed") return;
        if (end) throw refusal(end);
        await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      this.#loops.delete(stop);
      this.off("message", take);
    }
  }

  #watch() {
    if (this.#watched) return;
    this.#watched = true;
    this.#use().wait(false, ({ payload }) => {
      this.#watched = false;
      for (const stop of this.#loops) stop(payload);
    });
  }

  get continuity() {
    return this.#core?.continuity ?? "unknown";
  }

  message(payload, options) {
    return send(this.#use(), payload, options);
  }

  history(page) {
    if (!page) return this.#use().send();
    return answer((settle) => this.#use().send({ before: page.before, limit: page.limit }, null, settle));
  }

  getPresence() {
    return (this.#core?.presence() ?? []).map((info) => {
      let member = this.#members.get(info);
      if (!member) {
        member = new XanoRealtimeClient(info, this.channel, this.#core);
        this.#members.set(info, member);
      }
      return member;
    });
  }

  destroy() {
    this.#core?.destroy();
  }

  #use() {
    return (this.#core ??= this.#make());
  }
}

export class XanoRealtimeClient {
  static name = "XanoRealtimeClient";
  #channel;
  #core;

  constructor(info, channel, core) {
    Object.assign(this, info);
    // PHP spells an empty object so.
    if (Array.isArray(this.extras)) this.extras = {};
    this.#channel = channel;
    this.#core = core;
  }

  message(payload, options) {
    return send(this.#core, payload, { ...options, channel: this.#channel, socketId: this.socketId });
  }

  history() {
    this.#core.send(null, { channel: this.#channel, socketId: this.socketId });
  }
}

/** What `(action, listener, onError?)` or `(listener, onError?)` says; what is no function is not there. */
function told(args) {
  const [action, ...listeners] = typeof args[0] === "string" ? args : [undefined, ...args];
  return [action, ...listeners.map((listener) => (typeof listener === "function" ? listener : undefined))];
}

/** Messages are named by what nobody can guess: whoever knows the name could take the message's place. */
function send(core, payload, options) {
  const id = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
  return answer((settle) => core.send(payload, options, settle, id));
}

/** A promise of what `ask` gets. Who does not look at it need not fear an unhandled rejection. */
function answer(ask) {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  promise.catch(() => {});
  // Not in the promise's own function, which would swallow what is thrown at the caller.
  ask(({ action, payload }) => {
    if (action !== "error") resolve(payload);
    else reject(refusal(payload));
  });
  return promise;
}

function refusal({ message, code }) {
  return Object.assign(new Error(message), { code });
}
