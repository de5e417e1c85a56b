/**
 * One conversation on the page: what was said, and the field to say more. A room has one that is for
 * everyone, and one for each person who is written to privately.
 */
(() => {
  "use strict";

  const { Absence, Composer, Timeline, buildDay, buildMessage, drawDay, drawMessage, drawNote } = window.MarvelChat;
  const { atNextFrame, cleanName, cloneTemplate, guestName, randomId, readPerson, setText } = window.MarvelChat;
  const NEAR_BOTTOM = 48;

  class Conversation {
    element = cloneTemplate("conversation-template");
    refresh = atNextFrame(() => this.#draw());
    /** Messages that came while it was not shown. */
    unread = 0;
    #me;
    #names;
    #told;
    #timeline;
    #absence;
    #composer;
    #connected = false;
    #rows = new Map();
    /** Entries that came live; they make an entrance, those of the history do not. */
    #fresh = new WeakSet();
    #shown = true;
    #hasHistory = false;
    #atBottom = true;
    #newer = 0;
    #parts = {};

    /**
     * @param {{id: string, title: string, label: string, placeholder: string}} names  `id` for elements
     * @param {{me: object, names: object}} who  who this tab is, and what others are called
     * @param {object} told
     * @param {(payload: object, options: {id: string}) => Promise<{id?: string}>} told.send
     *     gives the message's receipt
     * @param {(failure: {code?: string, message?: string}) => void} told.failed
     * @param {boolean} [told.comesBack]  whether what is sent comes to its sender too, as usual
     * @param {() => void} told.typed
     * @param {() => void} told.said
     * @param {(news: {messages: number, names: boolean}) => void} told.changed
     */
    constructor(names, { me, names: known }, told) {
      this.#me = me;
      this.#names = known;
      this.#told = told;
      this.#timeline = new Timeline((author, person) => me.wrote(author, person));
      this.#absence = new Absence((note) => this.#timeline.addNote(note));
      this.#build(names);
      this.#listen();
      this.refresh();
    }

    /** Takes one action of the channel. */
    receive(action) {
      if (action.action === "join") this.#absence.joined(action.payload, Date.now());
      else if (action.action === "history") this.#takeHistory(action.payload?.history);
      else if (action.action === "message" || action.action === "event") this.#takeMessage(action);
      else if (action.action === "gap") this.#absence.takeGap(action.payload);
      this.refresh();
    }

    /** How things stand: what waits for a connection, and why nothing can be written, if so. */
    setState({ connected, blocked }) {
      if (!connected) {
        this.#absence.lost(Date.now());
        // What was sent over a connection that is gone, and had no receipt, got lost.
        this.#timeline.failUnsure();
      }
      this.#connected = connected;
      this.#composer.block(blocked);
      for (const starter of this.#parts.starters.children) starter.disabled = this.#composer.blocked;
      this.refresh();
    }

    /** Marks messages without receipts as not sent, the oldest or all; returns whether there were any. */
    failUnsure(count) {
      this.refresh();
      return this.#timeline.failUnsure(count);
    }

    get draft() {
      return this.#composer.draft;
    }

    set draft(text) {
      this.#composer.draft = text;
    }

    get isShown() {
      return this.#shown;
    }

    /** What is not shown counts what it misses. */
    setShown(shown) {
      this.#shown = shown;
      if (shown) this.unread = 0;
      this.refresh();
    }

    /** What others are doing right now. No live region: it would talk over what is being read. */
    setTyping(words) {
      setText(this.#parts.typing.lastElementChild, words);
      this.#parts.typing.dataset.active = String(words !== "");
    }

    focusInput() {
      this.#composer.focus();
    }

    say(text) {
      const localId = randomId();
      const payload = { text, hero: this.#me.name, from: this.#me.author, localId };
      this.#fresh.add(this.#timeline.addPending(payload, this.#me, Date.now()));
      this.#atBottom = true;
      this.refresh();
      this.#told.said();
      const failed = (failure) => {
        this.#timeline.fail(localId);
        this.#told.failed(failure);
      };
      // Nobody can guess the id, so it may be the message's name for the server too.
      const sent = (receipt) => {
        if (this.#told.comesBack === false) this.#timeline.keep(localId, receipt);
        else this.#timeline.confirm(localId, receipt.id);
      };
      const settled = this.#told.send(payload, { id: localId }).then(sent, failed);
      settled.then(() => this.refresh());
    }

    #build({ id, title, label, placeholder, empty, starters }) {
      const find = (selector) => this.element.querySelector(selector);
      this.#parts = {
        log: find(".log"),
        empty: find(".empty"),
        starters: find(".starters"),
        newer: find(".newer"),
        typing: find(".typing"),
      };
      this.#parts.log.setAttribute("aria-label", `Messages in ${title}`);
      const told = { submitted: (text) => this.say(text), typed: () => this.#told.typed() };
      this.#composer = new Composer(find("form"), { id, label, placeholder }, told);
      const [emptyTitle, emptyWords] = empty;
      setText(find(".empty-title"), emptyTitle);
      setText(find(".empty-words"), emptyWords);
      for (const words of starters) {
        const starter = document.createElement("button");
        starter.type = "button";
        starter.className = "button";
        starter.textContent = words;
        starter.addEventListener("click", () => this.say(words));
        this.#parts.starters.append(starter);
      }
    }

    #listen() {
      const { log, newer } = this.#parts;
      log.addEventListener("scroll", () => {
        this.#atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_BOTTOM;
        if (this.#atBottom && this.#newer) this.#toBottom();
      });
      new ResizeObserver(() => this.#atBottom && this.#toBottom()).observe(log);
      newer.addEventListener("click", () => {
        this.#toBottom();
        this.focusInput();
      });
    }

    #takeHistory(frames) {
      if (!Array.isArray(frames)) return;
      this.#absence.takeHistory(frames, () => {
        const { fresh, joins } = this.#timeline.merge(frames);
        let learnt = false;
        for (const frame of frames) learnt = this.#names.learn(frame?.client, cleanName(frame?.payload?.hero)) || learnt;
        const others = fresh.filter((entry) => !entry.own).length;
        // The first history is old news; a later one brings what was missed.
        this.#count(this.#hasHistory ? others : 0, learnt);
        this.#hasHistory = true;
        return { others, joins };
      });
      this.#drawQuietly();
    }

    #takeMessage(action) {
      const own = this.#me.wrote(action.payload?.from, readPerson(action.client));
      if (!own) this.#absence.take(action);
      const entry = this.#timeline.add(action, Date.now());
      if (entry === null) return;
      this.#fresh.add(entry);
      this.#count(entry.own ? 0 : 1, this.#names.learn(action.client, entry.hero));
    }

    #count(messages, names) {
      if (!this.#shown) this.unread += messages;
      if (!this.#atBottom) this.#newer += messages;
      this.#told.changed({ messages, names });
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
      setTimeout(() => log.setAttribute("aria-live", "polite"), 1000);
    }

    #authorOf({ server, person, own, hero }) {
      if (server) return "Server";
      if (person.member) return own ? person.member.name : this.#names.of(person);
      return hero ?? this.#names.of(person) ?? guestName(person.socketId);
    }

    #draw() {
      this.#drawRows();
      const { empty, newer } = this.#parts;
      empty.hidden = !this.#timeline.isEmpty;
      this.#composer.note = this.#connected ? "" : waitingWords(this.#timeline.waiting);
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
        if (row.entry) drawMessage(element, row, this.#connected);
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
        if (failed) this.say(failed.text);
        this.focusInput();
      });
    }
  }

  function waitingWords(count) {
    if (count === 0) return "Not connected: what you send waits here.";
    return count === 1 ? "1 message waits for the connection." : `${count} messages wait for the connection.`;
  }

  window.MarvelChat = { ...window.MarvelChat, Conversation };
})();
