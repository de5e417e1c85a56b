/**
 * The connection: which address was meant, how things stand, and that in words. No DOM.
 */
(() => {
  "use strict";

  /** The close code of an unknown connection hash. */
  const UNKNOWN_HASH = 4404;
  const MAX_REASON = 200;
  const EXAMPLE = "It looks like http://localhost:8787.";

  /**
   * The address of a server, as it is typed; throws an `Error` whose message is for people.
   * `localhost:8787` is what people type, and a browser takes that for a scheme.
   */
  function readBase(text) {
    const typed = text.trim().replace(/^ws(s?):\/\//i, "http$1://");
    if (!typed) throw new Error(`The base URL is missing. ${EXAMPLE}`);
    if (/\s/.test(typed)) throw new Error("An address has no spaces in it.");
    // A name before a colon is a scheme, unless a port follows.
    const scheme = /^([a-z][a-z\d+.-]*):(?:\/\/|[^\d])/i.exec(typed)?.[1].toLowerCase();
    if (scheme && scheme !== "http" && scheme !== "https") {
      throw new Error(`The address has to begin with http:// or https://. ${EXAMPLE}`);
    }
    const local = /^(localhost|127\.|\[|\d+\.\d+\.\d+\.\d+)/i.test(typed);
    try {
      const url = new URL(scheme ? typed : `${local ? "http" : "https"}://${typed}`);
      return url.href.replace(/\/$/, "");
    } catch {
      throw new Error(`That is no address. ${EXAMPLE}`);
    }
  }

  /** How things stand with the server, from what the SDK tells. */
  class Connection {
    /** @type {"idle"|"connecting"|"connected"|"retrying"|"closed"|"unknown-hash"} */
    phase = "idle";
    /** When the SDK tries again, in ms; 0 while it tries, or where it does not say. */
    retryAt = 0;
    #base = "";
    #everConnected = false;
    #reason = "";
    #remark = "";
    #renewing = false;

    get connected() {
      return this.phase === "connected";
    }

    get host() {
      return this.#base && new URL(this.#base).host;
    }

    /** Whether this server has never answered, so that the settings may be what is wrong. */
    get stranded() {
      return this.phase === "retrying" && !this.#everConnected;
    }

    /** Why nothing can be sent, now or later, in a few words; empty where it can. */
    get trouble() {
      if (this.phase === "closed") return "Connection closed";
      return this.phase === "unknown-hash" ? "Unknown hash" : "";
    }

    /** @param {string} [remark]  what there is to know besides, once it is connected */
    start(base, remark = "") {
      this.#base = base;
      this.#remark = remark;
      this.#everConnected = false;
      this.#reason = "";
      this.phase = "connecting";
    }

    /** The page itself asks for another connection: that this one ends is no trouble. */
    renew() {
      this.#renewing = this.connected;
    }

    /** Takes the payload of a `connection_status`. */
    takeStatus(payload) {
      const reason = typeof payload?.reason === "string" ? payload.reason.slice(0, MAX_REASON) : "";
      if (payload?.status === "connected") {
        this.#renewing = false;
        this.#everConnected = true;
        this.#reason = "";
        this.phase = "connected";
      } else if (payload?.code === UNKNOWN_HASH || this.phase === "unknown-hash") {
        this.phase = "unknown-hash";
      } else if (Number.isFinite(payload?.code) && !Number.isFinite(payload.retryIn)) {
        this.#reason = reason;
        this.phase = "closed";
      } else if (this.#renewing) {
        this.#renewing = false;
        this.phase = "connecting";
      } else {
        // Xano's SDK says no more than "disconnected", and tries again.
        this.retryAt = Number.isFinite(payload?.retryIn) ? Date.now() + payload.retryIn : 0;
        this.phase = "retrying";
      }
    }

    /** Takes an error that concerns no channel. */
    takeError(payload) {
      const { code, message } = payload ?? {};
      if (code === "unknown_hash") this.phase = "unknown-hash";
      else if (message) this.#reason = String(message).slice(0, MAX_REASON);
    }

    words() {
      const reason = this.#reason;
      switch (this.phase) {
        case "connecting":
          return "Connecting…";
        case "connected":
          if (this.#remark) return `Connected. ${this.#remark}`;
          return reason ? `Connected. The server says: ${reason}` : "Connected";
        case "retrying":
          return this.#everConnected ? "Connection lost, trying again" : `${this.#cannotConnect()}, trying again`;
        case "closed":
          if (!this.#everConnected) return `${this.#cannotConnect()}${reason ? `: ${reason}` : ""}`;
          return `The server closed the connection${reason ? `: ${reason}` : ""}`;
        case "unknown-hash":
          return "The server does not know this connection hash. Check it under Settings.";
        default:
          return "";
      }
    }

    /** The end of the words while waiting: they change every second, so they are not read out. */
    countdown(now) {
      if (this.phase !== "retrying") return "";
      const seconds = Math.ceil((this.retryAt - now) / 1000);
      return seconds > 0 ? ` in ${seconds} s` : "…";
    }

    /** Browsers do not tell whether nobody answered or what answered was not understood. */
    #cannotConnect() {
      const { protocol, host } = new URL(this.#base);
      const hint = protocol === "https:" ? " (is it http rather than https?)" : "";
      return `Cannot connect to ${protocol}//${host}${hint}`;
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Connection, readBase };
})();
