/**
 * One channel on the page: who is here, what was said, and the field to say more.
 */
(() => {
  "use strict";

  const { Composer, Timeline, buildDay, buildMessage, drawDay, drawMessage, drawNote } = window.MarvelChat;
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
    ["storage_failed", () => "The server cannot store messages right now. The message was not sent."],
    ["rate_limited", () => "That was too fast for this room. The message was not sent."],
    ["delivery_unknown", () => "The connection broke, and nobody knows whether the message was sent."],
    ["too_many_channels", () => "This connection is in too many rooms already."],
  ]);
  const REFUSALS = new Set(["channel_not_found", "anonymous_join_refused"]);

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
     * @param {(payload: object) => Promise<{id?: string}>} options.send  gives the message's receipt
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
      if (action.action === "join") this.#takeJoin();
      else if (action.action === "history") this.#takeHistory(action.payload?.history);
      else if (action.action === "message" || action.action === "event") this.#takeMessage(action);
      else if (action.action === "gap") this.#takeGap(action.payload);
    }

    setMembers(members) {
      const bySocket = new Map();
      for (const member of members) if (typeof member?.socketId === "string") bySocket.set(member.socketId, member);
      this.#members = [...bySocket.values()];
      this.refresh();
    }

    /** How the connection is. What was sent over one that is gone, and had no receipt, got lost. */
    setConnection({ connected, trouble }) {
      this.#trouble = trouble;
      this.element.dataset.connected = String(connected);
      if (!connected) this.#failUnsure();
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
      // Without receipts it is not said which. Servers answer in order, so it is the oldest.
      if (ofMessage) this.#failUnsure(1);
      // Why the room or the connection is closed is said already, and says more.
      if (ofMessage && (this.#closed || this.#trouble)) return;
      this.#showError(payload);
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

    #takeJoin() {
      this.#closed = false;
      this.#parts.error.hidden = true;
      this.#drawComposer();
    }

    #drawComposer() {
      this.element.dataset.closed = String(this.#closed);
      this.#composer.block(this.#trouble || (this.#closed ? "This room is closed" : ""));
      for (const starter of this.#parts.empty.querySelectorAll("button")) starter.disabled = this.#composer.blocked;
    }

    #failUnsure(count) {
      this.#timeline.failUnsure(count);
      this.refresh();
    }

    #takeGap({ missed, to }) {
      // A room without messages, whose numbering began anew: nothing that it would keep was said.
      if (to === 0) return;
      const what = missed === undefined ? "Some messages may have been" : `${missed} ${missed === 1 ? "message was" : "messages were"}`;
      this.#timeline.addNote(`${what} missed here. Those that the server still has follow.`);
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
      this.#failUnsure();
      this.#drawComposer();
    }

    #takeHistory(frames) {
      if (!Array.isArray(frames)) return;
      const fresh = this.#timeline.merge(frames);
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
      this.#fresh.add(this.#timeline.addPending(payload, Date.now()));
      this.#atBottom = true;
      this.refresh();
      // Why it failed comes to the channel's listener for errors.
      const failed = () => this.#timeline.fail(localId);
      const settled = this.#send(payload).then(({ id }) => this.#timeline.confirm(localId, id), failed);
      settled.then(() => this.refresh());
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
        else if (row.note) drawNote(element, row.note);
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
