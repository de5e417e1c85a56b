/**
 * Who everybody is: what the server vouches for, what people say of themselves, and who this tab is.
 */
(() => {
  "use strict";

  const { HEROES } = window.MarvelChat;
  const MAX_NAME = 40;
  /** More is not even looked at. */
  const MAX_RAW_NAME = 1000;
  const MAX_KNOWN_NAMES = 2000;
  const MAX_OWN_SOCKETS = 100;
  const TAB_KEY = "marvel-chat-tab";

  /** What to call someone of whom only the socket id is known. */
  function guestName(socketId) {
    const letters = String(socketId ?? "").replace(/[^A-Za-z0-9]/g, "").slice(0, 4).toLowerCase();
    return letters ? `Guest ${letters}` : "Guest";
  }

  /** What turns text around or cannot be seen; but some scripts and emoji are joined by two such letters. */
  const UNSEEN = /(?:(?![\u200c\u200d])[\p{Cc}\p{Cf}\s])+/gu;
  const NOTHING = /[\p{Default_Ignorable_Code_Point}\u2800\s]/gu;
  /** The mark of those whom the server vouches for, and what looks like it. */
  const MARKS = /[\u221a\u2611\u2705\u2713\u2714\u{1f5f8}\u{1f5f9}]\ufe0f?/gu;

  /** A name from the network, made fit to show, or null. */
  function cleanName(value) {
    if (typeof value !== "string") return null;
    const name = value.slice(0, MAX_RAW_NAME).replace(MARKS, " ").replace(UNSEEN, " ").trim();
    return seenOf(name) ? [...name].slice(0, MAX_NAME).join("") : null;
  }

  function seenOf(name) {
    return name.replace(NOTHING, "");
  }

  /**
   * Somebody who has logged in: a record of a table, in however many tabs; null for anonymous clients.
   * The server says this of every sender and member, so nobody can claim to be somebody else.
   */
  function readMember(client) {
    const { dbo_id: table, row_id: row } = client?.permissions ?? {};
    if (!table) return null;
    return { key: `${table}/${row}`, row: String(row), name: cleanName(client.extras?.name) ?? `Member ${row}` };
  }

  /**
   * @typedef {object} Person
   * @property {string} key          the same for all tabs of one who has logged in
   * @property {object|null} member  who the server says it is
   * @property {string} socketId     of the first tab
   * @property {object[]} clients    the SDK's client objects, one a tab; none when they are gone
   */

  /** Who sent a frame, or is in a channel. */
  function readPerson(client) {
    const member = readMember(client);
    const socketId = typeof client?.socketId === "string" ? client.socketId : null;
    return { key: member?.key ?? `socket ${socketId}`, member, socketId, clients: [] };
  }

  /** The persons behind a channel's presence, by key. @returns {Map<string, Person>} */
  function readPersons(clients) {
    const persons = new Map();
    for (const client of clients) {
      const person = readPerson(client);
      if (person.socketId === null) continue;
      if (!persons.has(person.key)) persons.set(person.key, person);
      persons.get(person.key).clients.push(client);
    }
    return persons;
  }

  /** Takes the oldest out of a map or set that has grown beyond its limit. */
  function bound(collection, limit) {
    if (collection.size > limit) collection.delete(collection.keys().next().value);
  }

  /** What to call people. Anonymous ones are known by what they called themselves in a message. */
  class Names {
    /** By socket id. */
    #claimed = new Map();
    /** Who bears a name that the server vouches for: keys of members by what is to be seen of the name. */
    #bearers = new Map();

    /** Takes what a frame tells of its sender, or presence of a member; returns whether that is news. */
    learn(client, claim) {
      const member = readMember(client);
      if (member) return this.#vouch(member);
      const socketId = client?.socketId;
      if (typeof socketId !== "string" || !claim || this.#claimed.get(socketId) === claim) return false;
      this.#claimed.delete(socketId);
      this.#claimed.set(socketId, claim);
      bound(this.#claimed, MAX_KNOWN_NAMES);
      return true;
    }

    /** The name, or null where nobody knows it yet. Of two members who share one, both get their number. */
    of({ member, socketId }) {
      if (!member) return this.#claimed.get(socketId) ?? null;
      return this.#bearers.get(seenOf(member.name))?.size > 1 ? `${member.name} #${member.row}` : member.name;
    }

    #vouch({ key, name }) {
      const seen = seenOf(name);
      const bearers = this.#bearers.get(seen) ?? new Set();
      // Two are enough to know that the name alone does not tell.
      if (bearers.has(key) || bearers.size > 1) return false;
      bearers.add(key);
      this.#bearers.set(seen, bearers);
      bound(this.#bearers, MAX_KNOWN_NAMES);
      return true;
    }
  }

  function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function randomHero() {
    return HEROES[Math.floor(Math.random() * HEROES.length)].name;
  }

  /**
   * Who this tab is: author id, hero, the socket ids it has had, and the member it has logged in as.
   *
   * Session storage holds it only while no page is alive (from `pagehide` to the next load).
   * A duplicated tab gets a copy of the storage of a living page, so it finds nothing there and
   * becomes somebody else: that is what lets people chat with themselves.
   */
  class Me {
    author = randomId();
    hero = randomHero();
    socketId = null;
    /** As the server sees this connection; null while it is anonymous. */
    member = null;
    #socketIds = new Set();

    constructor() {
      this.#wake();
      window.addEventListener("pagehide", () => this.#rest());
      window.addEventListener("pageshow", (event) => {
        if (event.persisted) this.#wake();
      });
    }

    get name() {
      return this.member?.name ?? this.hero;
    }

    /** Takes the answer to a join: who we are, in the server's words. */
    joined({ client, payload }) {
      this.member = readMember(client);
      const socketId = payload?.socketId ?? client?.socketId;
      if (typeof socketId !== "string") return;
      this.socketId = socketId;
      this.#socketIds.add(socketId);
      bound(this.#socketIds, MAX_OWN_SOCKETS);
    }

    /** Whether that is this person, in this tab or, logged in, in another one. */
    is({ member, socketId }) {
      return member === null ? socketId !== null && socketId === this.socketId : member.key === this.member?.key;
    }

    /** The author id is public, so the server's socket id has to agree where one is known. */
    wrote(author, person) {
      if (person.member && person.member.key === this.member?.key) return true;
      return author === this.author && (this.#socketIds.size === 0 || this.#socketIds.has(person.socketId));
    }

    /** Becomes somebody else, whom nothing that was said so far belongs to. */
    forget() {
      this.author = randomId();
      this.hero = randomHero();
      this.member = this.socketId = null;
      this.#socketIds.clear();
    }

    #wake() {
      try {
        const kept = JSON.parse(sessionStorage.getItem(TAB_KEY));
        sessionStorage.removeItem(TAB_KEY);
        if (!kept) return;
        this.author = String(kept.author);
        this.hero = HEROES.some(({ name }) => name === kept.hero) ? kept.hero : this.hero;
        this.#socketIds = new Set(kept.socketIds);
      } catch {
        // Storage is refused or was edited: a new identity is as good.
      }
    }

    #rest() {
      try {
        const kept = { author: this.author, hero: this.hero, socketIds: [...this.#socketIds] };
        sessionStorage.setItem(TAB_KEY, JSON.stringify(kept));
      } catch {
        // Storage is refused: the next page is somebody else.
      }
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Me, Names, bound, cleanName, guestName, randomId, readPerson, readPersons };
})();
