/**
 * One channel on the page: who is here, what was said, and the field to say more.
 */
(() => {
  "use strict";

  const { Timeline, drawFace, drawMembers, guestName, randomId } = window.MarvelChat;
  const LIMIT = 2000;
  const COUNT_FROM = 1800;
  const NEAR_BOTTOM = 48;
  const STARTERS = ["Hello World!", "Who is on watch tonight?", "Meet me on the roof."];

  const ERROR_WORDS = new Map([
    ["channel_not_found", (name) => `This server has no open channel “${name}”. Add it in its Realtime settings.`],
    ["anonymous_join_refused", (name) => `This room is for members only. Allow anonymous clients in “${name}” to open it.`],
    ["messaging_disabled", () => "Messages are switched off in this room."],
    ["authentication_required", () => "Only people who have logged in may write in this room."],
    ["not_joined", () => "You are not in this room yet, so the message was not sent."],
    ["overloaded", () => "The server has too much to do right now. The message was not sent."],
    ["too_many_channels", () => "This connection is in too many rooms already."],
  ]);
  const DELIVERY_WORDS = new Map([["sending", "sending…"], ["failed", "not sent"]]);
  const REFUSALS = new Set(["channel_not_found", "anonymous_join_refused"]);

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

  function dayName(ts, now) {
    const date = new Date(ts);
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    // Rounded, as a day may have 23 or 25 hours.
    const daysAgo = Math.round((midnight - new Date(ts).setHours(0, 0, 0, 0)) / 864e5);
    if (daysAgo === 0) return "Today";
    if (daysAgo === 1) return "Yesterday";
    const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
    return new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year }).format(date);
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function cloneTemplate(id) {
    return document.getElementById(id).content.firstElementChild.cloneNode(true);
  }

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
    #rows = new Map();
    /** What each row's element shows, so that only changes are drawn. */
    #drawn = new WeakMap();
    /** Entries that came live; they make an entrance, those of the history do not. */
    #fresh = new WeakSet();
    #members = [];
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
      if (action.action === "join") this.#open();
      else if (action.action === "history") this.#takeHistory(action.payload?.history);
      else if (action.action === "message" || action.action === "event") this.#takeMessage(action);
    }

    setMembers(members) {
      const bySocket = new Map();
      for (const member of members) if (typeof member?.socketId === "string") bySocket.set(member.socketId, member);
      this.#members = [...bySocket.values()];
      this.refresh();
    }

    setConnected(connected) {
      this.element.dataset.connected = String(connected);
    }

    /** A panel that is not shown counts what it misses. */
    setShown(shown) {
      this.#shown = shown;
      this.element.hidden = !shown;
      if (!shown) return;
      this.unread = 0;
      this.refresh();
    }

    /** Says in plain words what the server refused. */
    showError(payload) {
      const code = typeof payload?.code === "string" ? payload.code : "";
      const words = ERROR_WORDS.get(code)?.(this.#name);
      const said = typeof payload?.message === "string" ? payload.message.slice(0, 300) : "";
      this.#parts.error.dataset.code = code;
      this.#parts.error.hidden = false;
      setText(this.#parts.errorWords, words ?? (said || "Something went wrong in this room."));
      if (payload?.action === "join" || REFUSALS.has(code)) this.#setClosed(true);
    }

    /** The server refused a message without saying which; it answers in order, so the oldest. */
    failOldest() {
      const [oldest] = this.#timeline.sending();
      if (oldest !== undefined) this.#fail(oldest);
    }

    failAll() {
      for (const localId of this.#timeline.sending()) this.#fail(localId);
    }

    focusInput() {
      this.#parts.input.focus();
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
        error: find(".room-error"),
        errorWords: find(".room-error p"),
        log: find(".log"),
        empty: find(".empty"),
        newer: find(".newer"),
        form: find("form"),
        input: find("textarea"),
        hint: find(".hint"),
      };
      const { input, hint, list, log } = this.#parts;
      list.setAttribute("aria-label", `People in the ${title}`);
      log.setAttribute("aria-label", `Messages in the ${title}`);
      input.id = `message-${this.#name}`;
      hint.id = `hint-${this.#name}`;
      input.setAttribute("aria-describedby", hint.id);
      const label = find("label");
      label.htmlFor = input.id;
      label.textContent = `Message the ${title}`;
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
      const { form, input, log, newer, error } = this.#parts;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit();
      });
      input.addEventListener("keydown", (event) => {
        // Enter also ends a word in an input method; that one is not for us.
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.#submit();
      });
      input.addEventListener("input", () => this.#hint());
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

    #open() {
      this.#setClosed(false);
      this.#parts.error.hidden = true;
    }

    #setClosed(closed) {
      this.element.dataset.closed = String(closed);
      this.#parts.input.disabled = closed;
      this.#parts.input.placeholder = closed ? "This room is closed" : "Your message";
      this.#parts.form.querySelector("button").disabled = closed;
      for (const starter of this.#parts.empty.querySelectorAll("button")) starter.disabled = closed;
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

    #submit() {
      const { input, hint } = this.#parts;
      const text = input.value.trim();
      if (!text) {
        setText(hint, "Write something first.");
        return;
      }
      input.value = "";
      this.#hint();
      this.#say(text.slice(0, LIMIT));
      input.focus();
    }

    #say(text) {
      const localId = randomId();
      const payload = { text, hero: this.#me.hero, from: this.#me.author, localId };
      this.#fresh.add(this.#timeline.addPending(localId, text, payload.hero, Date.now()));
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
      this.showError({ code: reason?.code, message: reason?.message });
    }

    #fail(localId) {
      const known = this.#timeline.fail(localId);
      this.refresh();
      return known;
    }

    #hint() {
      const left = LIMIT - this.#parts.input.value.length;
      setText(this.#parts.hint, left <= LIMIT - COUNT_FROM ? `${left} of ${LIMIT} characters left` : "");
      this.#parts.hint.dataset.full = String(left <= 0);
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
      const { count, list, empty, newer } = this.#parts;
      setText(count, String(this.#members.length));
      drawMembers(list, this.#members, this.#me, this.#names);
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
        const element = this.#rows.get(row.key) ?? (row.entry ? this.#buildMessage(row.entry) : this.#buildDay());
        if (row.entry) this.#drawMessage(element, row);
        else setText(element.firstElementChild, dayName(row.day, now));
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

    #buildDay() {
      const line = document.createElement("div");
      line.className = "day";
      line.append(document.createElement("span"));
      return line;
    }

    #buildMessage(entry) {
      const element = cloneTemplate("message-template");
      element.classList.toggle("fresh", this.#fresh.has(entry));
      element.addEventListener("animationend", () => element.classList.remove("fresh"));
      element.querySelector("[data-testid=retry]").addEventListener("click", () => {
        const failed = this.#timeline.take(entry.key);
        if (failed) this.#say(failed.text);
        this.focusInput();
      });
      return element;
    }

    #drawMessage(element, { entry, author, grouped }) {
      const drawn = this.#drawn.get(element);
      const { delivery } = entry;
      const now = [entry, author, grouped, delivery];
      if (drawn && now.every((part, index) => part === drawn[index])) return;
      this.#drawn.set(element, now);
      Object.assign(element.dataset, { own: entry.own, grouped, delivery, server: entry.server, kind: entry.kind });
      drawFace(element.querySelector(".face"), author);
      element.dataset.tone = element.querySelector(".face").dataset.tone;
      setText(element.querySelector(".author"), author);
      setText(element.querySelector(".text"), entry.text);
      const time = element.querySelector("time");
      time.hidden = entry.ts === null;
      if (entry.ts !== null) {
        setText(time, clock.format(entry.ts));
        time.dateTime = new Date(entry.ts).toISOString();
        time.title = fullTime.format(entry.ts);
      }
      setText(element.querySelector(".delivery"), DELIVERY_WORDS.get(delivery) ?? "");
      element.querySelector("[data-testid=retry]").hidden = delivery !== "failed";
    }
  }

  window.MarvelChat = { ...window.MarvelChat, ChannelPanel };
})();
