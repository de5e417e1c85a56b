/**
 * Where the server is: found in the page's address, given by the server that served it, or typed.
 */
(() => {
  "use strict";

  const { readBase } = window.MarvelChat;
  const KEPT_KEY = "marvel-chat-settings";
  const $ = (id) => document.getElementById(id);

  function keptSettings() {
    try {
      return JSON.parse(localStorage.getItem(KEPT_KEY)) ?? {};
    } catch {
      return {};
    }
  }

  function keepSettings({ base, hash }) {
    try {
      localStorage.setItem(KEPT_KEY, JSON.stringify({ base, hash }));
    } catch {
      // Storage is refused: the form starts empty next time.
    }
    try {
      // A reload, and a link passed on, lead to the same server. Tokens never go in here.
      history.replaceState(null, "", `?${new URLSearchParams({ base, hash })}`);
    } catch {
      // Some browsers refuse this for a page from disk.
    }
  }

  /** The address, then the server that served the page, then what was typed last time. */
  function findSettings() {
    const query = new URLSearchParams(location.search);
    const { baseUrl, connectionHash } = document.body.dataset;
    const origin = location.protocol.startsWith("http") ? location.origin : "";
    const [base, hash] = [query.get("base"), query.get("hash")];
    if (base && hash) return { base, hash, complete: true };
    if (connectionHash && (baseUrl || origin)) return { base: baseUrl || origin, hash: connectionHash, complete: true };
    const kept = keptSettings();
    return { base: base ?? kept.base ?? origin, hash: hash ?? kept.hash ?? "", complete: false };
  }

  /** The form that asks for them. */
  class SettingsForm {
    #taken;

    /** @param {(settings: {base: string, hash: string}) => void} taken  gets what can be an address and a hash */
    constructor(taken) {
      this.#taken = taken;
      $("connection-form").addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit();
      });
    }

    fill({ base, hash }) {
      $("base-url").value = base;
      $("connection-hash").value = hash;
    }

    get isShown() {
      return !$("settings").hidden;
    }

    show({ canLeave, first }) {
      $("settings").hidden = false;
      $("back").hidden = !canLeave;
      $(first ? "base-url" : "connection-hash").focus();
    }

    hide() {
      this.showError("");
      $("settings").hidden = true;
    }

    showError(words, field) {
      $("form-error").textContent = words;
      $("form-error").hidden = !words;
      for (const input of [$("base-url"), $("connection-hash")]) input.setAttribute("aria-invalid", String(input === field));
      field?.focus();
    }

    #submit() {
      const [baseInput, hashInput] = [$("base-url"), $("connection-hash")];
      let base;
      try {
        base = readBase(baseInput.value);
      } catch (error) {
        this.showError(error.message, baseInput);
        return;
      }
      const hash = hashInput.value.trim();
      if (!/^[^\s/?#]+$/.test(hash)) {
        const words = hash ? "A connection hash has no spaces or slashes in it." : "The connection hash is missing.";
        this.showError(words, hashInput);
        return;
      }
      this.#taken({ base, hash });
    }
  }

  window.MarvelChat = { ...window.MarvelChat, SettingsForm, findSettings, keepSettings };
})();
