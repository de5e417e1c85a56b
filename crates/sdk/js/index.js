// The classes applications know. What they do is decided in Rust; here is only what they look like.

import { Client as CoreClient } from "./core.js";
import { RestClient, realtimeToken } from "./rest.js";
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

// The minifier renames classes; `name` is what consoles show.
export class XanoClient extends RestClient {
  static name = "XanoClient";
  #core;

  constructor(config) {
    super(config);
    this.#core = new CoreClient(config);
  }

  channel(name, options = {}) {
    this.#core.setToken(this[realtimeToken]());
    return new XanoRealtimeChannel(name, options, this.#core.channel(`${name}`, options));
  }

  setRealtimeAuthToken(token) {
    super.setRealtimeAuthToken(token);
    this.#core.setToken(this[realtimeToken]());
    return this;
  }

  realtimeReconnect() {
    this.#core.setToken(this[realtimeToken]());
    this.#core.reconnect();
    return this;
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

  message(payload, options) {
    this.#core.message(payload, options);
  }

  history() {
    this.#core.history();
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
    this.#core.message(payload, { ...options, channel: this.#channel, socketId: this.socketId });
  }

  history() {
    this.#core.history({ channel: this.#channel, socketId: this.socketId });
  }
}
