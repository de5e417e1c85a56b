/**
 * Who is typing. No DOM, no clock: time is an argument.
 *
 * A public message would be kept in the room's history, so what says "I am typing" is a private one to
 * each of the others, which the server keeps nowhere. That is as many messages as there are others, so
 * it is said at most every three seconds, and not at all in a crowd: who is typing there is no news.
 */
(() => {
  "use strict";

  const { bound } = window.MarvelChat;
  /** Beyond so many connections of others nobody is told; a room of N tabs costs N × (N − 1) messages. */
  const MAX_LISTENERS = 12;
  const EVERY_MS = 3_000;
  /** A signal that comes late must not make the words flicker. */
  const LASTS_MS = EVERY_MS + 2_000;
  const MAX_TYPING = 50;

  /** When to tell others of the typing here. */
  class TypingSignal {
    #last = -Infinity;

    /** Whether it is time to tell them, given that a key was pressed now. */
    isDue(now, listeners) {
      if (listeners === 0 || listeners > MAX_LISTENERS || now - this.#last < EVERY_MS) return false;
      this.#last = now;
      return true;
    }

    /** What was typed is sent: the next key tells anew. */
    reset() {
      this.#last = -Infinity;
    }
  }

  /** Who is typing elsewhere. */
  class TypingPeople {
    /** Until when, by person. */
    #until = new Map();

    heard(key, now) {
      this.#until.delete(key);
      this.#until.set(key, now + LASTS_MS);
      bound(this.#until, MAX_TYPING);
    }

    /** They have said it, or are gone. */
    stopped(key) {
      return this.#until.delete(key);
    }

    /** Forgets whose time is over. @returns {string[]} who is left, and has typed the longest first */
    keys(now) {
      for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
      return [...this.#until.keys()];
    }

    /** When somebody's time is over next. */
    get nextEnd() {
      return Math.min(...this.#until.values());
    }
  }

  function typingWords(names) {
    if (names.length === 0) return "";
    if (names.length === 1) return `${names[0]} is typing…`;
    if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
    return `${names.length} people are typing…`;
  }

  window.MarvelChat = { ...window.MarvelChat, TypingPeople, TypingSignal, typingWords };
})();
