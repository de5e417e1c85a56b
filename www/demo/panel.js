/**
 * One room on the page: who is here, what is said to everyone, and where the room allows it, what
 * people say to each other privately and who is typing.
 */
(() => {
  "use strict";

  const { Conversation, PresenceList, PrivateThreads, TypingPeople, TypingSignal, typingWords } = window.MarvelChat;
  const { atNextFrame, buildVouched, cloneTemplate, drawFace, isPrivate, readPerson, setText } = window.MarvelChat;
  const STARTERS = ["Hello World!", "Who is on watch tonight?", "Meet me on the roof."];

  const ERROR_WORDS = new Map([
    ["channel_not_found", (name) => `This server has no open channel “${name}”. Add it in its Realtime settings.`],
    ["anonymous_join_refused", (name) => `This room is for members only. Allow anonymous clients in “${name}” to open it.`],
    ["messaging_disabled", () => "Messages are switched off in this room."],
    ["authentication_required", () => "Only people who have logged in may write in this room."],
    ["not_joined", () => "You are not in this room yet, so the message was not sent."],
    ["recipient_not_found", () => "They are not here any more, so the message was not sent."],
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
    refresh = atNextFrame(() => this.#draw());
    #name;
    #me;
    #changed;
    #privately;
    #everyone;
    #threads;
    #presence;
    /** The person whose private conversation is on show; null for everyone's. */
    #open = null;
    #connected = false;
    #trouble = "";
    #closed = false;
    #shown = true;
    /** By conversation: a person's key, or null for everyone's. */
    #signals = new Map();
    #typing = new Map();
    #typingTimer;
    #parts = {};

    /**
     * @param {object} room
     * @param {string} room.name      the channel
     * @param {string} room.title
     * @param {string} room.accent    its colour, by name
     * @param {boolean} [room.privately]  whether members may write to each other alone
     * @param {{me: object, names: object}} who  who this tab is, and what others are called
     * @param {object} told
     * @param {(payload: object, options: object) => Promise<{id?: string}>} told.send  gives the message's receipt
     * @param {(news: {messages: number, names: boolean}) => void} told.changed
     */
    constructor({ name, title, accent, privately = false }, who, { send, changed }) {
      this.#name = name;
      this.#me = who.me;
      this.#changed = changed;
      this.#privately = privately;
      this.#build(title, accent);
      const failed = (failure) => this.#showError({ code: failure.code, message: failure.message, action: "message" });
      const words = {
        id: name,
        title: `the ${title}`,
        label: `Message the ${title}`,
        placeholder: "Your message",
        empty: ["Quiet in here", "Say the first word."],
        starters: STARTERS,
      };
      const typed = (key = null) => privately && this.#signalTyping(key);
      const said = (key = null) => this.#signals.get(key)?.reset();
      this.#everyone = new Conversation(words, who, { send, failed, typed, said, changed });
      this.#threads = new PrivateThreads(name, who, {
        opened: (conversation) => this.#parts.conversations.append(conversation.element),
        failed,
        typed,
        said,
        changed,
      });
      this.#presence = new PresenceList(this.#parts, who, privately ? (key) => this.#toggle(key) : null);
      this.#parts.conversations.append(this.#everyone.element);
      this.element.dataset.privately = privately;
      this.#listen();
      this.#drawOpen();
    }

    /** Messages that came while they were not on show. */
    get unread() {
      return this.#everyone.unread + this.#threads.unread;
    }

    /** Takes one action of the channel. */
    receive(action) {
      if (action.action === "join") this.#takeJoin();
      if (!this.#privately || !isPrivate(action)) this.#takePublic(action);
      else if (readTyping(action)) this.#takeTyping(action, readTyping(action));
      else this.#takePrivate(action);
    }

    /** Takes the SDK's client objects of who is here. */
    setMembers(clients) {
      this.#threads.setPresence(clients);
      // Who has gone is not typing any more.
      if (this.#typing.size) this.#drawTyping();
      this.refresh();
    }

    /** How the connection is. */
    setConnection({ connected, trouble }) {
      this.#connected = connected;
      this.#trouble = trouble;
      this.element.dataset.connected = String(connected);
      if (!connected) this.#forgetTyping();
      this.#drawState();
    }

    get draft() {
      return this.#everyone.draft;
    }

    set draft(text) {
      this.#everyone.draft = text;
    }

    /** A panel that is not shown counts what it misses. */
    setShown(shown) {
      this.#shown = shown;
      this.element.hidden = !shown;
      this.#drawOpen();
    }

    /** Takes an error that concerns this channel. */
    takeError(payload) {
      // What is wrong with a message is told by its receipt. Servers that give none answer in order, so
      // there it is the oldest.
      if (payload?.action === "message" && !this.#everyone.failUnsure(1)) return;
      this.#showError(payload);
    }

    focusInput() {
      this.#current.focusInput();
    }

    get #current() {
      return this.#threads.get(this.#open)?.conversation ?? this.#everyone;
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
        bar: find(".thread-bar"),
        back: find(".thread-bar button"),
        face: find(".thread-bar .face"),
        title: find(".thread-bar strong"),
        news: find(".news"),
        conversations: find(".conversations"),
      };
      this.#parts.list.setAttribute("aria-label", `People in the ${title}`);
    }

    #listen() {
      const { error, back } = this.#parts;
      error.querySelector("button").addEventListener("click", () => {
        error.hidden = true;
        this.focusInput();
      });
      back.addEventListener("click", () => this.#toggle(null));
      this.element.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !event.isComposing && this.#open !== null) this.#toggle(null);
      });
    }

    /** Opens a private conversation, or everyone's again. */
    #toggle(key) {
      const person = this.#threads.persons.find((each) => each.key === key);
      this.#open = person && key !== this.#open ? key : null;
      if (this.#open) this.#threads.open(person);
      this.#parts.error.hidden = this.#parts.error.hidden || !this.#closed;
      this.#drawOpen();
      // On a touch screen the keyboard would cover what there is to read.
      if (window.matchMedia("(pointer: fine)").matches) this.focusInput();
      this.#changed({ messages: 0, names: false });
    }

    #drawOpen() {
      const current = this.#current;
      for (const conversation of [this.#everyone, ...this.#threads.conversations]) {
        conversation.element.hidden = conversation !== current;
        conversation.setShown(this.#shown && conversation === current);
      }
      const isPrivately = current !== this.#everyone;
      this.element.dataset.open = isPrivately ? "private" : "everyone";
      this.#parts.bar.hidden = !isPrivately;
      this.refresh();
    }

    /** Draws who is here; what is said draws itself. */
    #draw() {
      const { count, title } = this.#parts;
      const persons = this.#threads.persons;
      setText(count, String(persons.filter(({ key }) => this.#threads.isHere(key)).length));
      this.#presence.draw(persons, (key) => ({
        unread: this.#threads.get(key)?.conversation.unread,
        open: key === this.#open,
        away: !this.#threads.isHere(key),
      }));
      const thread = this.#threads.get(this.#open);
      if (thread) {
        const name = this.#threads.nameOf(thread.person);
        drawFace(this.#parts.face, name);
        title.replaceChildren(name, ...(thread.person.member ? [buildVouched()] : []));
      }
      this.#current.refresh();
    }

    #takeJoin() {
      this.#closed = false;
      this.#parts.error.hidden = true;
      this.#drawState();
    }

    #takePublic(action) {
      if (action.action === "message") this.#stopTyping(null, readPerson(action.client).key);
      this.#everyone.receive(action);
    }

    #takePrivate(action) {
      const key = this.#threads.receive(action);
      if (key === null) return;
      this.#stopTyping(key, key);
      const { conversation, person } = this.#threads.get(key);
      // A badge is only there to see.
      if (!conversation.isShown) setText(this.#parts.news, newsWords(conversation.unread, this.#threads.nameOf(person)));
      this.#drawOpen();
    }

    #drawState() {
      const blocked = this.#trouble || (this.#closed ? "This room is closed" : "");
      this.element.dataset.closed = String(this.#closed);
      const state = { connected: this.#connected && !this.#closed, blocked };
      this.#everyone.setState(state);
      this.#threads.setState(state);
    }

    /** Tells the others of the conversation that somebody types here. */
    #signalTyping(key) {
      if (!this.#connected || this.#closed) return;
      const listeners = key === null ? this.#threads.others.flatMap(({ clients }) => clients) : this.#threads.clientsOf(key);
      if (!this.#signals.has(key)) this.#signals.set(key, new TypingSignal());
      if (!this.#signals.get(key).isDue(Date.now(), listeners.length)) return;
      const typing = key === null ? "everyone" : "private";
      // That one of them has just left is no matter.
      for (const client of listeners) client.message({ typing });
    }

    #takeTyping({ client }, where) {
      const sender = readPerson(client);
      if (this.#me.is(sender)) return;
      const key = where === "private" ? sender.key : null;
      if (!this.#typing.has(key)) this.#typing.set(key, new TypingPeople());
      this.#typing.get(key).heard(sender.key, Date.now());
      this.#drawTyping();
    }

    #stopTyping(conversation, person) {
      if (this.#typing.get(conversation)?.stopped(person)) this.#drawTyping();
    }

    #forgetTyping() {
      this.#signals.clear();
      this.#typing.clear();
      this.#drawTyping();
    }

    #drawTyping() {
      const now = Date.now();
      clearTimeout(this.#typingTimer);
      const persons = new Map(this.#threads.persons.map((person) => [person.key, person]));
      const keys = new Map([...this.#typing].map(([key, people]) => [key, people.keys(now)]));
      for (const [key, { length }] of keys) if (length === 0) this.#typing.delete(key);
      const wordsOf = (key) => {
        const here = (keys.get(key) ?? []).filter((each) => persons.has(each));
        return typingWords(here.map((each) => this.#threads.nameOf(persons.get(each))));
      };
      this.#everyone.setTyping(wordsOf(null));
      for (const { key } of persons.values()) this.#threads.get(key)?.conversation.setTyping(wordsOf(key));
      const ends = [...this.#typing.values()].map(({ nextEnd }) => nextEnd);
      if (ends.length) this.#typingTimer = setTimeout(() => this.#drawTyping(), Math.min(...ends) - now);
    }

    /** Says in plain words what was refused. */
    #showError({ code = "", message, action } = {}) {
      // Why the room or the connection is closed is said already, and says more.
      if (action === "message" && (this.#closed || this.#trouble)) return;
      const words = ERROR_WORDS.get(code)?.(this.#name);
      const said = typeof message === "string" ? message.slice(0, 300) : "";
      this.#parts.error.dataset.code = code;
      this.#parts.error.hidden = false;
      setText(this.#parts.errorWords, words ?? (said || "Something went wrong in this room."));
      if (action !== "join" && !REFUSALS.has(code)) return;
      this.#closed = true;
      this.#everyone.failUnsure();
      this.#drawState();
    }
  }

  /** Another text for each, as the same one again would not be read out. */
  function newsWords(unread, name) {
    return unread > 1 ? `${unread} private messages from ${name}` : `Private message from ${name}`;
  }

  /** "everyone" or "private" where a private message says only that its sender is typing; else null. */
  function readTyping({ payload }) {
    const where = payload?.typing;
    return where === "everyone" || where === "private" ? where : null;
  }

  window.MarvelChat = { ...window.MarvelChat, ChannelPanel };
})();
