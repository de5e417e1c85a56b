// The classes applications know. What they do is decided in Rust; here is only what they look like.

import { Client as CoreClient } from "./core.js";
import { load } from "./loader.js";

export * from "./enums.js";

// The minifier renames classes; `name` is what consoles show.
export class XanoClient {
  static name = "XanoClient";
  #core;

  constructor(config) {
    load();
    this.#core = new CoreClient(config);
  }

  channel(name, options = {}) {
    return new XanoRealtimeChannel(name, options, this.#core.channel(`${name}`, options));
  }

  hasRealtimeAuthToken() {
    return this.#core.hasToken();
  }

  setRealtimeAuthToken(token) {
    this.#core.setToken(token);
    return this;
  }

  realtimeReconnect() {
    this.#core.reconnect();
    return this;
  }
}

export class XanoRealtimeChannel {
  static name = "XanoRealtimeChannel";
  #core;
  /** By what the server told about it, so that a member is the same object each time. */
  #members = new WeakMap();

  constructor(channel, options, core) {
    this.#core = core;
    Object.defineProperties(this, {
      channel: { value: channel, enumerable: true },
      options: { value: options, enumerable: true },
    });
  }

  on(...args) {
    this.#core.on(...args);
    return this;
  }

  get continuity() {
    return this.#core.continuity;
  }

  message(payload, options) {
    return send(this.#core, payload, options);
  }

  history(page) {
    if (!page) return this.#core.history();
    return answer((settle) => this.#core.history({ before: page.before, limit: page.limit }, null, settle));
  }

  getPresence() {
    return this.#core.presence().map((info) => {
      let member = this.#members.get(info);
      if (!member) {
        member = new XanoRealtimeClient(info, this.channel, this.#core);
        this.#members.set(info, member);
      }
      return member;
    });
  }

  destroy() {
    this.#core.destroy();
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
    this.#core.history(null, { channel: this.#channel, socketId: this.socketId });
  }
}

/** Messages are named by what nobody can guess: whoever knows the name could take the message's place. */
function send(core, payload, options) {
  const id = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
  return answer((settle) => core.message(payload, options, id, settle));
}

/** A promise of what `ask` gets. Who does not look at it need not fear an unhandled rejection. */
function answer(ask) {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  promise.catch(() => {});
  // Not in the promise's own function, which would swallow what is thrown at the caller.
  ask(({ action, payload }) => {
    if (action !== "error") resolve(payload);
    else reject(Object.assign(new Error(payload.message), { code: payload.code }));
  });
  return promise;
}
