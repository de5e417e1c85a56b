/**
 * What a channel's frames mean as a list of messages. No DOM, no clock: time is an argument.
 */
(() => {
  "use strict";

  const { cleanName, readPerson } = window.MarvelChat;
  const MAX_ENTRIES = 1000;
  const MAX_SHOWN = 4000;
  const MAX_TIME = 8.64e15;
  const EMPTY = { kind: "none", text: "(empty message)" };
  const GROUP_MS = 5 * 60 * 1000;

  /**
   * @typedef {object} Entry
   * @property {string} key       stable name of the row
   * @property {string|null} id   the server's id, where it gives one
   * @property {number|null} ts   time in ms, null when nobody knows
   * @property {number} at        position in time; never falls along the list
   * @property {string} raw       the payload as JSON, where there is no id to know it by
   * @property {string} text
   * @property {"text"|"data"|"none"} kind
   * @property {string|null} hero
   * @property {Person} person    who sent it, in the server's words
   * @property {boolean} own
   * @property {boolean} server   an event, sent by the server itself
   * @property {""|"sending"|"failed"} delivery
   * @property {boolean} [unsure] sent, but this server does not say whether it arrived
   * @property {{words: string}} [note]  not a message, but what is to be said in this place
   */

  function clip(text) {
    const more = text.length - MAX_SHOWN;
    return more > 0 ? `${text.slice(0, MAX_SHOWN)}… (${more} more characters)` : text;
  }

  /** Any payload as text. What is nested too deeply for a browser's stack must not cost the others. */
  function toText(payload) {
    try {
      return JSON.stringify(payload) ?? "";
    } catch {
      return "(data that is nested too deeply to be shown)";
    }
  }

  /** The words in a payload, whoever sent it: our page, Xano's demo (plain text) or anything else. */
  function readPayload(payload) {
    const said = typeof payload?.text === "string" ? payload.text : payload ?? "";
    if (typeof said === "string") return said.trim() ? { kind: "text", text: clip(said) } : EMPTY;
    return { kind: "data", text: clip(toText(payload)) };
  }

  function readTime(value) {
    return Number.isFinite(value) && Math.abs(value) <= MAX_TIME ? value : null;
  }

  /** Sameness without ids (Xano's own server gives none): who said exactly what. */
  function identity(entry) {
    return entry.id === null ? `said ${entry.person.socketId} ${entry.raw}` : `id ${entry.id}`;
  }

  /** The messages of one channel, in order, each once. */
  class Timeline {
    /** @type {Entry[]} */
    #entries = [];
    /** @type {Map<string, Entry>} by local id, waiting for their echo */
    #pending = new Map();
    #ids = new Set();
    #lastKey = 0;
    #wrote;

    /** @param {(author: unknown, person: Person) => boolean} wrote whether that is this tab's person */
    constructor(wrote) {
      this.#wrote = wrote;
    }

    /** Whether there is nothing to show. */
    get isEmpty() {
      return this.#pending.size === 0 && !this.#entries.some(({ note }) => !note || note.words);
    }

    /** How many own messages are not sent yet. */
    get waiting() {
      let count = 0;
      for (const { delivery, unsure } of this.#pending.values()) count += Number(delivery === "sending" && !unsure);
      return count;
    }

    /** Takes a `message` or `event` frame; returns its entry, or null when it is known already. */
    add(frame, now) {
      const entry = this.#read(frame, now);
      this.#settle(entry, frame.payload?.localId);
      if (entry.id !== null && this.#ids.has(entry.id)) return null;
      entry.at = Math.max(entry.at, this.#entries.at(-1)?.at ?? -Infinity);
      this.#entries.push(entry);
      if (entry.id !== null) this.#ids.add(entry.id);
      this.#trim();
      return entry;
    }

    /**
     * Takes a whole history, oldest first; returns the entries that are new, and whether the newest that
     * was shown is in it, so that nothing is missing between.
     * It comes again after every reconnect, and holds what was missed, but not everything shown.
     */
    merge(frames) {
      const newest = this.#entries.findLast((entry) => !entry.note);
      let joins = false;
      const known = new Map();
      for (const entry of this.#entries) {
        if (entry.note) continue;
        const name = identity(entry);
        if (known.has(name)) known.get(name).push(entry);
        else known.set(name, [entry]);
      }
      const fresh = [];
      let at = -Infinity;
      for (const frame of frames) {
        if (frame === null || typeof frame !== "object") continue;
        const entry = this.#read(frame, null);
        this.#settle(entry, frame.payload?.localId);
        const old = known.get(identity(entry))?.shift();
        if (old) {
          joins ||= old === newest;
          at = Math.max(at, old.at);
          continue;
        }
        entry.at = at = Math.max(at, entry.at);
        fresh.push(entry);
      }
      // Array.prototype.sort is stable: of equal times, what was shown stays first.
      const all = [...this.#entries, ...fresh].sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
      this.#entries = all.slice(-MAX_ENTRIES);
      this.#ids = new Set(this.#entries.map((entry) => entry.id));
      return { fresh, joins };
    }

    /** Says something between the messages before and those that come. Without words it is not shown. */
    addNote(note) {
      this.#entries.push({ key: this.#nextKey(), id: null, ts: null, at: this.#entries.at(-1)?.at ?? -Infinity, raw: "", note });
      this.#trim();
    }

    /** Shows an own message before the server has it. */
    addPending({ localId, text, hero }, me, now) {
      const pending = {
        key: this.#nextKey(), id: null, raw: "", ts: now, at: now, ...readPayload(text),
        hero, person: { key: "own", member: me.member, socketId: me.socketId }, own: true, server: false, delivery: "sending",
      };
      this.#pending.set(localId, pending);
      return pending;
    }

    /**
     * It was sent. The server has it under `id`, even when the echo does not carry our local id; Xano's
     * own says nothing, so that only the echo will tell.
     */
    confirm(localId, id) {
      const pending = this.#pending.get(localId);
      if (!pending) return;
      if (id === undefined) {
        pending.unsure = true;
        return;
      }
      pending.id = String(id);
      pending.delivery = "";
      if (this.#ids.has(pending.id)) this.#pending.delete(localId);
    }

    /** It was sent, and nothing will come back: this is its place. */
    keep(localId, { id, ts }) {
      const pending = this.#pending.get(localId);
      if (!pending) return;
      this.#pending.delete(localId);
      if (id !== undefined) this.#ids.add(String(id));
      const at = Math.max(ts ?? pending.at, this.#entries.at(-1)?.at ?? -Infinity);
      this.#entries.push(Object.assign(pending, { id: id === undefined ? null : String(id), ts: ts ?? pending.ts, at, delivery: "" }));
      this.#trim();
    }

    fail(localId) {
      const pending = this.#pending.get(localId);
      if (pending) pending.delivery = "failed";
    }

    /** No echo of these will come: of the oldest, or of all. Returns whether there were any. */
    failUnsure(count = Infinity) {
      let failed = 0;
      for (const pending of this.#pending.values()) {
        if (failed === count) break;
        if (!pending.unsure || pending.delivery === "failed") continue;
        failed += 1;
        pending.delivery = "failed";
      }
      return failed > 0;
    }

    /** Takes a failed message back, to send it again. */
    take(key) {
      for (const [localId, entry] of this.#pending) {
        if (entry.key !== key) continue;
        this.#pending.delete(localId);
        return entry;
      }
      return null;
    }

    /** The rows to show: a day line where the day changes, and every message with its grouping. */
    rows(authorOf) {
      const rows = [];
      let before = null;
      for (const entry of [...this.#entries, ...this.#pending.values()].slice(-MAX_ENTRIES)) {
        if (entry.note) {
          if (!entry.note.words) continue;
          rows.push({ key: entry.key, note: entry.note });
          // Who speaks behind it is named again, but it is still the same day.
          before = { day: before?.day };
          continue;
        }
        const author = authorOf(entry);
        const day = entry.ts === null ? null : new Date(entry.ts).toDateString();
        const newDay = day !== null && day !== before?.day;
        if (newDay) rows.push({ key: `day ${day} ${entry.key}`, day: entry.ts });
        const speaker = `${entry.own ? "own" : entry.person.key} ${author}`;
        const near = Math.abs((entry.ts ?? 0) - (before?.ts ?? 0)) < GROUP_MS;
        const grouped = !newDay && near && before?.speaker === speaker;
        rows.push({ key: entry.key, entry, author, grouped });
        before = { speaker, ts: entry.ts, day: day ?? before?.day };
      }
      return rows;
    }

    /** @returns {Entry} */
    #read(frame, now) {
      const server = frame.action === "event";
      const payload = server ? frame.payload?.data : frame.payload;
      const person = readPerson(frame.client);
      const id = typeof frame.id === "string" || typeof frame.id === "number" ? String(frame.id) : null;
      const ts = readTime(frame.ts) ?? now;
      return {
        key: this.#nextKey(),
        id,
        raw: id === null ? toText(payload) : "",
        ts,
        at: ts ?? -Infinity,
        ...readPayload(payload),
        hero: server ? null : cleanName(payload?.hero),
        person,
        own: !server && this.#wrote(payload?.from, person),
        server,
        delivery: "",
      };
    }

    /** An arrived own message replaces its pending row, in place. */
    #settle(entry, localId) {
      for (const [pendingId, pending] of this.#pending) {
        const same = (entry.own && pendingId === localId) || (pending.id !== null && pending.id === entry.id);
        if (!same) continue;
        entry.key = pending.key;
        entry.own = true;
        this.#pending.delete(pendingId);
        return;
      }
    }

    #trim() {
      if (this.#entries.length > MAX_ENTRIES) this.#ids.delete(this.#entries.shift().id);
    }

    #nextKey() {
      this.#lastKey += 1;
      return `row ${this.#lastKey}`;
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Timeline };
})();
