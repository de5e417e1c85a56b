/**
 * What became of the messages that were said while there was no connection. No DOM, no clock: time is
 * an argument.
 *
 * The server fills a gap in one of two ways. A join that was `resumed` is followed by what was missed,
 * each as a message of its own, up to the number that the answer names. Otherwise the SDK tells a `gap`,
 * and the whole history that comes next may hold some of it.
 */
(() => {
  "use strict";

  /** How long, in words; empty for what nobody notices. */
  function span(ms) {
    const seconds = Math.round(ms / 1000);
    if (seconds < 1) return "";
    if (seconds < 90) return `${seconds} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  }

  const were = (count) => (count === 1 ? "1 message was" : `${count} messages were`);
  const are = (count) => (count === 1 ? "1 message is" : `${count} messages are`);

  /** One absence, as a line between what was said before and after it. */
  class Note {
    /** Messages of others that came after all. */
    filled = 0;
    /** How many are lost; null where nobody can tell, which may be none. */
    missing = 0;
    #away;

    constructor(awayMs) {
      this.#away = span(awayMs);
    }

    get alarming() {
      return this.missing !== 0;
    }

    /** Empty where nothing was missed, as then there is nothing to say. */
    get words() {
      if (!this.alarming && this.filled === 0) return "";
      const facts = [];
      if (this.#away) facts.push(`you were away for ${this.#away}`);
      if (this.missing === null) facts.push("messages may be missing here");
      if (this.missing > 0) facts.push(`${are(this.missing)} missing here`);
      if (this.filled > 0) facts.push(`${were(this.filled)} filled in${this.alarming ? " after that" : ""}`);
      const words = facts.join("; ");
      return `${words[0].toUpperCase()}${words.slice(1)}.`;
    }
  }

  class Absence {
    /** When the connection was lost; null while there is one, and before the first. */
    #since = null;
    #away = 0;
    #joined = false;
    #hadHistory = false;
    /** The number of the last message that a resumed join brings. */
    #until = 0;
    #gap = null;
    /** @type {Note|null} the line of the latest absence, while it may change */
    #note = null;
    #place;

    /** @param {(note: Note) => void} place puts a line behind what is shown now */
    constructor(place) {
      this.#place = place;
    }

    lost(now) {
      if (this.#joined) this.#since ??= now;
    }

    /** Takes the answer to a join. */
    joined(payload, now) {
      this.#away = this.#since === null ? 0 : now - this.#since;
      this.#since = this.#note = this.#gap = null;
      this.#until = this.#joined && payload?.resumed === true ? Number(payload.seq) : 0;
      this.#joined = true;
    }

    /** Takes a message of somebody else before it is shown. */
    take({ seq }) {
      if (!(seq <= this.#until)) return;
      this.#line().filled += 1;
    }

    /** Takes what the SDK says is lost. */
    takeGap(gap) {
      // A room without messages, whose numbering began anew: nothing that it would keep was said.
      if (!gap || gap.to === 0) return;
      this.#gap = gap;
      this.#line().missing = gap.missed ?? null;
    }

    /**
     * Takes a whole history. The line has to be in its place before the history is merged behind it.
     *
     * @param {object[]} frames
     * @param {() => {others: number, joins: boolean}} merge  gives how many new messages of others there
     *     are, and whether the newest that was shown before is among them all: then nothing is missing
     */
    takeHistory(frames, merge) {
      // The first one is what there was before this page.
      const note = this.#hadHistory ? this.#line() : null;
      this.#hadHistory = true;
      const { others, joins } = merge();
      if (note === null) return;
      note.filled = others;
      if (joins || frames[0]?.seq === 1) note.missing = 0;
      else note.missing = others === 0 && this.#gap === null ? 0 : this.#lost(frames);
    }

    #lost(frames) {
      const { missed, from, to } = this.#gap ?? {};
      if (missed === undefined) return null;
      return Math.max(0, missed - frames.filter((frame) => frame?.seq >= from && frame.seq <= to).length);
    }

    #line() {
      if (this.#note === null) this.#place((this.#note = new Note(this.#away)));
      return this.#note;
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Absence };
})();
