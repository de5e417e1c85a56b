/**
 * Private messages of a room: who is written to, over which connections, and the conversations.
 *
 * A private message goes to one connection, is kept nowhere and does not come back to its sender. Here
 * it goes to all tabs of a person, is shown here at once, and a copy goes to one's own other tabs, so
 * that each of them shows both sides.
 */
(() => {
  "use strict";

  const { Conversation, guestName, readPerson, readPersons } = window.MarvelChat;
  /** Conversations; beyond, the one that was quiet for the longest is forgotten, one without unread messages first. */
  const MAX_THREADS = 50;
  /** Tabs of one person that a message goes to: the newest, as old ones may be of no use any more. */
  const MAX_TABS = 20;

  /** Whether a message came to this connection alone. */
  function isPrivate({ action, options }) {
    return action === "message" && typeof options?.socketId === "string";
  }

  class PrivateThreads {
    /** @type {Map<string, {person: Person, conversation: Conversation}>} by person, the latest last */
    #threads = new Map();
    #here = new Map();
    #roomName;
    #who;
    #told;
    #state = { connected: false, blocked: "" };

    /**
     * @param {string} roomName  for the ids of elements
     * @param {{me: object, names: object}} who
     * @param {object} told
     * @param {(conversation: Conversation) => void} told.opened  a new one, to be put on the page
     * @param {(key: string) => void} told.typed
     * @param {(key: string) => void} told.said
     * @param {(failure: object) => void} told.failed
     * @param {(news: object) => void} told.changed
     */
    constructor(roomName, who, told) {
      this.#roomName = roomName;
      this.#who = who;
      this.#told = told;
    }

    get unread() {
      let unread = 0;
      for (const { conversation } of this.#threads.values()) unread += conversation.unread;
      return unread;
    }

    /** Who is here, and who was and has a conversation. @returns {Person[]} */
    get persons() {
      const gone = [...this.#threads.values()].filter(({ person }) => !this.#here.has(person.key));
      return [...this.#here.values(), ...gone.map(({ person }) => person)];
    }

    isHere(key) {
      return this.#here.has(key);
    }

    /** The SDK's client objects of a person's tabs. */
    clientsOf(key) {
      return (this.#here.get(key)?.clients ?? []).slice(-MAX_TABS);
    }

    /** Of everybody but this tab's person. */
    get others() {
      return [...this.#here.values()].filter((person) => !this.#who.me.is(person));
    }

    get(key) {
      return this.#threads.get(key) ?? null;
    }

    get conversations() {
      return [...this.#threads.values()].map(({ conversation }) => conversation);
    }

    setPresence(clients) {
      this.#here = readPersons(clients);
      this.#update();
    }

    setState(state) {
      this.#state = state;
      this.#update();
    }

    /** Takes a private message; returns the key of the thread that it is in, or null. */
    receive(action) {
      const sender = readPerson(action.client);
      const { me, names } = this.#who;
      names.learn(action.client);
      // Only a copy of one's own says whom it was for.
      const key = me.is(sender) ? action.payload?.to : sender.key;
      const known = this.#here.get(key) ?? this.#threads.get(key)?.person;
      const person = key === sender.key ? (known ?? sender) : known;
      if (!person || me.is(person)) return null;
      this.open(person).conversation.receive(action);
      return key;
    }

    /** The conversation with a person. */
    open(person) {
      const { key } = person;
      const thread = this.#threads.get(key) ?? this.#begin(person);
      this.#threads.delete(key);
      this.#threads.set(key, thread);
      return thread;
    }

    nameOf(person) {
      return this.#who.names.of(person) ?? guestName(person.socketId);
    }

    #begin(person) {
      const { key } = person;
      const name = this.nameOf(person);
      const words = {
        id: `${this.#roomName}-${key.replace(/[^\w-]/g, "-")}`,
        title: `private conversation with ${name}`,
        label: `Private message to ${name}`,
        placeholder: "Private message",
        empty: ["Just you two", "Only you and they see this, and nobody keeps it."],
        starters: [],
      };
      const conversation = new Conversation(words, this.#who, {
        ...this.#told,
        comesBack: false,
        send: (payload, { id }) => this.#send(key, { ...payload, to: key }, id),
        typed: () => this.#told.typed(key),
        said: () => this.#told.said(key),
      });
      conversation.setShown(false);
      const thread = { person, conversation };
      this.#threads.set(key, thread);
      this.#drawState(thread);
      this.#forgetOldest(thread);
      this.#told.opened(conversation);
      return thread;
    }

    /** Fulfilled when one of the person's tabs has it. */
    async #send(key, payload, id) {
      const theirs = this.clientsOf(key);
      if (theirs.length === 0) throw Object.assign(new Error(), { code: "recipient_not_found" });
      const receipts = theirs.map((client, tab) => client.message(payload, { id: `${id}-${tab}` }));
      const receipt = await Promise.any(receipts).catch(({ errors }) => {
        throw errors[0];
      });
      // Not before: what is sent once more would be there twice.
      for (const client of this.#ownOther()) client.message(payload);
      return receipt;
    }

    #ownOther() {
      const { me } = this.#who;
      const own = [...this.#here.values()].find((person) => me.is(person));
      return (own?.clients ?? []).filter(({ socketId }) => socketId !== me.socketId).slice(-MAX_TABS);
    }

    #update() {
      for (const thread of this.#threads.values()) {
        thread.person = this.#here.get(thread.person.key) ?? thread.person;
        this.#drawState(thread);
      }
    }

    #drawState({ person, conversation }) {
      const { connected, blocked } = this.#state;
      // Without a connection nobody can say who is here.
      const gone = connected && !this.isHere(person.key) ? `${this.nameOf(person)} is not here now` : "";
      conversation.setState({ connected, blocked: blocked || gone });
    }

    #forgetOldest(newest) {
      if (this.#threads.size <= MAX_THREADS) return;
      // The newest one has nothing unread yet, but is about to.
      const hidden = [...this.#threads.values()].filter((thread) => thread !== newest && !thread.conversation.isShown);
      const { person, conversation } = hidden.find(({ conversation }) => conversation.unread === 0) ?? hidden[0];
      conversation.element.remove();
      this.#threads.delete(person.key);
    }
  }

  window.MarvelChat = { ...window.MarvelChat, PrivateThreads, isPrivate };
})();
