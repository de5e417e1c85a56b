/**
 * One channel on the page: who is here, what was said, and the field to say more.
 */
(() => {
  "use strict";

  const { Composer, Timeline, buildDay, buildMessage, drawDay, drawMessage } = window.MarvelChat;
  const { cloneTemplate, drawMembers, guestName, randomId, setText } = window.MarvelChat;
  const NEAR_BOTTOM = 48;
  const STARTERS = ["Hello World!", "Who is on watch tonight?", "Meet me on the roof."];

  const ERROR_WORDS = new Map([
    ["channel_not_found", (name) => `This server has no open channel “${name}”. Add it in its Realtime settings.`],
    ["anonymous_join_refused", (name) => `This room is for members only. Allow anonymous clients in “${name}” to open it.`],
    ["messaging_disabled", () => "Messages are switched off in this room."],
    ["authentication_required", () => "Only people who have logged in may write in this room."],
    ["not_joined", () => "You are not in this room yet, so the message was not sent."],
    ["overloaded", () => "The server has too much to do right now. The message was not sent."],
    ["message_too_large", () => "This message is too long for the server. It was not sent."],
    ["connection_closed", () => "There is no connection, so the message was not sent."],
    ["queue_full", () => "Too many messages wait for a connection already. This one was not sent."],
    ["too_many_channels", () => "This connection is in too many rooms already."],
  ]);
  const REFUSALS = new Set(["channel_not_found", "anonymous_join_refused"]);
  /** Said by the SDK itself, at once, of the message it was just given. */
  const SAID_BY_SDK = new Set(["message_too_large", "connection_closed", "queue_full"]);

  class ChannelPanel {
    element = cloneTemplate("panel-template");
    /** Messages that came while the panel was not shown. */
    unread = 0;
    #name;
    #me;
    #names;
    #send;
    #changed;
    #timeline;
    #composer;
    #rows = new Map();
    /** Entries that came live; they make an entrance, those of the history do not. */
    #fresh = new WeakSet();
    #members = [];
    #connected = false;
    /** The number of the latest connection. */
    #connection = 0;
    #trouble = "";
    #closed = false;
    #shown = true;
    #hasHistory = false;
    #atBottom = true;
    #newer = 0;
    #scheduled = false;
    #parts = {};

    /**
     * @param {object} options
     * @param {string} options.name      the channel
     * @param {string} options.title
     * @param {string} options.accent    its colour, by name
     * @param {object} options.me        who this tab is
     * @param {object} options.names     names by socket id
     * @param {(payload: object) => unknown} options.send  may return a promise of a receipt
     * @param {(news: {messages?: number, names?: boolean}) => void} options.changed
     */
    constructor({ name, title, accent, me, names, send, changed }) {
      this.#name = name;
      this.#me = me;
      this.#names = names;
      this.#send = send;
      this.#changed = changed;
      this.#timeline = new Timeline((author, socketId) => me.wrote(author, socketId));
      this.#build(title, accent);
      this.#listen();
      this.refresh();
    }

    /** Takes one action of the channel. */
    receive(action) {
      if (action.action === "join") this.#takeJoin(action.payload);
      else if (action.action === "history") this.#takeHistory(action.payload?.history);
      else if (action.action === "message" || action.action === "event") this.#takeMessage(action);
    }

    setMembers(members) {
      const bySocket = new Map();
      for (const member of members) if (typeof member?.socketId === "string") bySocket.set(member.socketId, member);
      this.#members = [...bySocket.values()];
      this.refresh();
    }

    /**
     * How the connection is: what is said without one waits for the next, and fails at once
     * where there is `trouble`, as no connection will come.
     */
    setConnection({ connected, number, trouble }) {
      this.#connected = connected;
      this.#connection = number;
      this.#trouble = trouble;
      this.element.dataset.connected = String(connected);
      if (trouble) this.failAll();
      this.#drawComposer();
    }

    get draft() {
      return this.#composer.draft;
    }

    set draft(text) {
      this.#composer.draft = text;
    }

    /** A panel that is not shown counts what it misses. */
    setShown(shown) {
      this.#shown = shown;
      this.element.hidden = !shown;
      if (!shown) return;
      this.unread = 0;
      this.refresh();
    }

    /** Takes an error that concerns this channel. */
    takeError(payload) {
      const ofMessage = payload?.action === "message";
      if (ofMessage) this.#failOne(payload.code);
      // Why the room or the connection is closed is said already, and says more.
      if (ofMessage && (this.#closed || this.#trouble)) return;
      this.#showError(payload);
    }

    failAll() {
      for (const localId of this.#timeline.sending()) this.#fail(localId);
    }

    focusInput() {
      this.#composer.focus();
    }

    /** Draws at the next frame; many messages in one frame cost one drawing. */
    refresh() {
      if (this.#scheduled) return;
      this.#scheduled = true;
      const draw = () => {
        this.#scheduled = false;
        this.#draw();
      };
      // Hidden tabs get no animation frames.
      if (document.hidden) setTimeout(draw, 100);
      else requestAnimationFrame(draw);
    }

    #build(title, accent) {
      const { element } = this;
      const find = (selector) => element.querySelector(selector);
      element.dataset.testid = `room-${this.#name}`;
      element.dataset.accent = accent;
      element.id = `panel-${this.#name}`;
      const heading = find("h2");
      heading.textContent = title;
      heading.id = `title-${this.#name}`;
      element.setAttribute("aria-labelledby", heading.id);
      find(".channel-name").textContent = this.#name;
      this.#parts = {
        count: find(".presence strong"),
        list: find(".presence ul"),
        note: find(".presence-note"),
        error: find(".room-error"),
        errorWords: find(".room-error p"),
        log: find(".log"),
        empty: find(".empty"),
        newer: find(".newer"),
      };
      const { list, log } = this.#parts;
      list.setAttribute("aria-label", `People in the ${title}`);
      log.setAttribute("aria-label", `Messages in the ${title}`);
      const field = { id: this.#name, label: `Message the ${title}` };
      this.#composer = new Composer(find("form"), field, (text) => this.#say(text));
      for (const words of STARTERS) {
        const starter = document.createElement("button");
        starter.type = "button";
        starter.className = "button";
        starter.textContent = words;
        starter.addEventListener("click", () => this.#say(words));
        find(".starters").append(starter);
      }
    }

    #listen() {
      const { log, newer, error } = this.#parts;
      log.addEventListener("scroll", () => {
        this.#atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_BOTTOM;
        if (this.#atBottom && this.#newer) this.#toBottom();
      });
      new ResizeObserver(() => this.#atBottom && this.#toBottom()).observe(log);
      newer.addEventListener("click", () => {
        this.#toBottom();
        this.focusInput();
      });
      error.querySelector("button").addEventListener("click", () => {
        error.hidden = true;
        this.focusInput();
      });
    }

    #takeJoin(payload) {
      this.#closed = false;
      this.#parts.error.hidden = true;
      this.#drawComposer();
      // Where no history follows, nothing else will tell what became of a message.
      if (payload?.history === 0 || payload?.resumed === true) this.#failLost();
    }

    #drawComposer() {
      this.element.dataset.closed = String(this.#closed);
      this.#composer.block(this.#trouble || (this.#closed ? "This room is closed" : ""));
      for (const starter of this.#parts.empty.querySelectorAll("button")) starter.disabled = this.#composer.blocked;
    }

    /** What was given to an earlier connection and is not here by now was lost with it. */
    #failLost() {
      this.#timeline.failBefore(this.#connection);
      this.refresh();
    }

    /** Says in plain words what was refused. */
    #showError(payload) {
      const code = typeof payload?.code === "string" ? payload.code : "";
      const words = ERROR_WORDS.get(code)?.(this.#name);
      const said = typeof payload?.message === "string" ? payload.message.slice(0, 300) : "";
      this.#parts.error.dataset.code = code;
      this.#parts.error.hidden = false;
      setText(this.#parts.errorWords, words ?? (said || "Something went wrong in this room."));
      if (payload?.action !== "join" && !REFUSALS.has(code)) return;
      this.#closed = true;
      this.failAll();
      this.#drawComposer();
    }

    /** A refusal does not say of which message. The server answers in order, so it is the oldest. */
    #failOne(code) {
      const sending = SAID_BY_SDK.has(code) ? this.#timeline.sending().reverse() : this.#timeline.sending(this.#connection);
      if (sending.length) this.#fail(sending[0]);
    }

    #takeHistory(frames) {
      if (!Array.isArray(frames)) return;
      const fresh = this.#timeline.merge(frames);
      this.#failLost();
      let learnt = false;
      for (const entry of fresh) learnt = this.#names.learn(entry.socketId, entry.hero) || learnt;
      // The first history is old news; a later one brings what was missed.
      const missed = this.#hasHistory ? fresh.filter((entry) => !entry.own).length : 0;
      this.#hasHistory = true;
      this.#count(missed, learnt);
      this.#drawQuietly();
    }

    #takeMessage(action) {
      const entry = this.#timeline.add(action, Date.now());
      if (entry === null) {
        this.refresh();
        return;
      }
      this.#fresh.add(entry);
      this.#count(entry.own ? 0 : 1, this.#names.learn(entry.socketId, entry.hero));
      this.refresh();
    }

    #count(messages, names) {
      if (!this.#shown) this.unread += messages;
      if (!this.#atBottom) this.#newer += messages;
      this.#changed({ messages, names });
    }

    #say(text) {
      const localId = randomId();
      const payload = { text, hero: this.#me.hero, from: this.#me.author, localId };
      const connection = this.#connected ? this.#connection : this.#connection + 1;
      this.#fresh.add(this.#timeline.addPending({ ...payload, connection }, Date.now()));
      this.#atBottom = true;
      this.refresh();
      try {
        const receipt = this.#send(payload);
        if (typeof receipt?.then !== "function") return;
        receipt.then((got) => this.#confirm(localId, got?.id), (reason) => this.#refused(localId, reason));
      } catch (reason) {
        this.#refused(localId, reason);
      }
    }

    #confirm(localId, id) {
      if (id === undefined || id === null) return;
      this.#timeline.confirm(localId, String(id));
      this.refresh();
    }

    #refused(localId, reason) {
      // The error also came to the channel's listener where the server sent one.
      if (!this.#fail(localId) || !this.#parts.error.hidden) return;
      this.#showError({ code: reason?.code, message: reason?.message });
    }

    #fail(localId) {
      const known = this.#timeline.fail(localId);
      this.refresh();
      return known;
    }

    #toBottom() {
      const { log, newer } = this.#parts;
      this.#atBottom = true;
      this.#newer = 0;
      newer.hidden = true;
      log.scrollTop = log.scrollHeight;
    }

    /** A whole history is not read out aloud. */
    #drawQuietly() {
      const { log } = this.#parts;
      log.setAttribute("aria-live", "off");
      this.refresh();
      setTimeout(() => log.setAttribute("aria-live", "polite"), 1000);
    }

    #authorOf(entry) {
      if (entry.server) return "Server";
      return entry.hero ?? this.#names.of(entry.socketId) ?? guestName(entry.socketId);
    }

    #draw() {
      this.#drawRows();
      const { count, empty, newer } = this.#parts;
      setText(count, String(this.#members.length));
      drawMembers(this.#parts, this.#members, this.#me, this.#names);
      empty.hidden = this.#timeline.size > 0;
      if (this.#atBottom) this.#toBottom();
      else newer.hidden = this.#newer === 0;
    }

    #drawRows() {
      const { log } = this.#parts;
      const now = Date.now();
      const rows = this.#timeline.rows((entry) => this.#authorOf(entry));
      const kept = new Map();
      for (const row of rows) {
        const element = this.#rows.get(row.key) ?? (row.entry ? this.#buildMessage(row.entry) : buildDay());
        if (row.entry) drawMessage(element, row);
        else drawDay(element, row.day, now);
        kept.set(row.key, element);
      }
      for (const [key, element] of this.#rows) if (!kept.has(key)) element.remove();
      let place = log.firstChild;
      for (const element of kept.values()) {
        if (element === place) place = place.nextSibling;
        else log.insertBefore(element, place);
      }
      this.#rows = kept;
    }

    #buildMessage(entry) {
      return buildMessage(this.#fresh.has(entry), () => {
        if (this.#composer.blocked) return;
        const failed = this.#timeline.take(entry.key);
        if (failed) this.#say(failed.text);
        this.focusInput();
      });
    }
  }

  window.MarvelChat = { ...window.MarvelChat, ChannelPanel };
})();
