// Rows made from what a page's maker has drawn once.

import { complain } from "./check.js";
import { CHANNEL, attribute, fill, named, preset, show } from "./show.js";

/** A part of the page whose first child says what its rows look like. */
class Rows {
  #template;
  /** Known when there is a row. */
  #hides;

  constructor(element) {
    this.element = element;
    /** Where the rows begin. */
    this.anchor = document.createComment("");
    this.#template = takeTemplate(element, this.anchor);
    const limit = Number(attribute(element, "limit"));
    this.limit = limit >= 1 && limit <= MAX_ROWS ? Math.floor(limit) : ROWS;
  }

  /** A row that is not in the page yet. */
  build(action, classes, template = this.#template) {
    const row = template.cloneNode(true);
    for (const [name, on] of Object.entries(classes)) row.classList.toggle(name, on);
    fill(row, action);
    return row;
  }

  /** Templates may have a class that hides them. */
  appear(row) {
    this.#hides ??= getComputedStyle(row).display === "none";
    if (this.#hides) show(row, true);
  }
}

/** The members of a channel. */
export class Members extends Rows {
  /** By socket id. */
  #rows = new Map();

  draw(members, own) {
    const shown = new Map(members.slice(0, this.limit).map((member) => [member.socketId, member]));
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const [id, client] of shown) {
      if (this.#rows.has(id)) continue;
      const row = this.build({ client }, { "is-mine": own.has(client) });
      this.#rows.set(id, row);
      this.element.append(row);
      this.appear(row);
    }
  }
}

/** What was said in a channel, oldest first unless the page's maker wants it the other way round. */
export class List extends Rows {
  /** In the order of the channel: `{ id, said, element, pending }`. */
  #rows = [];
  #newestFirst;
  #following = false;

  constructor(element) {
    super(element);
    this.kind = attribute(element, "list") || "messages";
    this.#newestFirst = attribute(element, "order") === "newest";
    // Lists of the page's own kind stay lists for those who listen to the page.
    if (!/^[uo]l$/.test(element.localName)) preset(element, "role", "log");
    preset(element, "aria-live", "polite");
    preset(element, "aria-label", this.kind === "events" ? "Events" : "Messages");
    if (scroller(element) === element) preset(element, "tabindex", "0");
  }

  get isEmpty() {
    return this.#rows.length === 0;
  }

  takes(action) {
    return this.kind === "all" || action === this.kind.slice(0, -1);
  }

  /** Shows a publication, once. */
  add(action, own) {
    if (!this.takes(action.action) || this.#has(action.id)) return;
    const mine = own.has(action.client);
    const said = toKey(action);
    const before = mine ? this.#rows.find((row) => row.pending && row.said === said) : undefined;
    if (before) this.#settle(before, action);
    else this.#insert({ id: action.id, said }, action, { "is-mine": mine, "is-event": action.action === "event" });
  }

  /** Shows all of a channel's history, of which some may be there already. */
  addHistory(entries, own) {
    // Without names nobody can tell which; the history is all there is then.
    if (entries.some(({ id }) => !id)) for (const row of this.#rows) this.#remove(row);
    // What is older than something that is there was there too, and had to make room.
    const known = entries.findLastIndex(({ id }) => this.#has(id));
    const news = entries.slice(known + 1).filter(({ action }) => this.takes(action));
    this.#follow(() => news.slice(-this.limit).forEach((entry) => this.add(entry, own)));
  }

  /** Shows what is on its way; the answer says how that ended. */
  addPending(action) {
    const row = this.#insert({ said: toKey(action), pending: true }, action, { "is-mine": true, "is-pending": true });
    return {
      sent: ({ id, ts }) => {
        if (!row.pending) return;
        // Xano's own server names nothing: the message itself follows.
        if (!id || this.#has(id)) this.#remove(row);
        else this.#settle(row, { ...action, id, ts });
      },
      failed: () => {
        row.pending = false;
        row.element.classList.replace("is-pending", "is-failed");
      },
      remove: () => this.#remove(row),
    };
  }

  /** Shows the mark for what was missed. */
  addGap(template, action) {
    this.#insert({}, action, {}, template);
  }

  #has(id) {
    return id !== undefined && this.#rows.some((row) => row.id === id);
  }

  #insert(row, action, classes, template) {
    row.element = this.build(action, classes, template);
    this.#follow(() => {
      this.#place(row);
      this.appear(row.element);
      if (this.#rows.length > this.limit) this.#remove(this.#rows[0]);
    }, row.pending);
    return row;
  }

  /** What was on its way has arrived. */
  #settle(row, action) {
    row.pending = false;
    row.id = action.id;
    row.element.classList.remove("is-pending");
    fill(row.element, action);
    this.#rows = this.#rows.filter((other) => other !== row);
    this.#place(row);
  }

  /** Puts a row behind all others, but before those that are still on their way. */
  #place(row) {
    const at = row.pending ? -1 : this.#rows.findIndex(({ pending }) => pending);
    const index = at < 0 ? this.#rows.length : at;
    const last = this.#rows[index - 1]?.element ?? this.anchor;
    this.#rows.splice(index, 0, row);
    // One that is there already is not moved, or its animation would begin again.
    if (this.#newestFirst) {
      if (last.previousSibling !== row.element) last.before(row.element);
    } else if (last.nextSibling !== row.element) last.after(row.element);
  }

  #remove(row) {
    row.pending = false;
    row.element.remove();
    this.#rows = this.#rows.filter((other) => other !== row);
  }

  /** Stays at the newest row, unless somebody reads further up. */
  #follow(change, always) {
    if (this.#following) {
      change();
      return;
    }
    this.#following = true;
    const box = scroller(this.element);
    const left = box && (this.#newestFirst ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop);
    change();
    this.#following = false;
    if (box && (always || left < NEAR)) box.scrollTop = this.#newestFirst ? 0 : box.scrollHeight;
  }
}

/** Takes the first child out of the page, and what else was drawn to look at. */
function takeTemplate(element, anchor) {
  const children = [...element.children].filter((child) => !child.matches(STAYS));
  const [first] = children;
  if (first) first.before(anchor);
  else element.append(anchor);
  const template = first?.localName === "template" ? first.content.firstElementChild : first;
  for (const child of children) child.remove();
  if (!template) {
    complain(element, "It is empty. Put one element into it that says what a row looks like.");
    return document.createElement("div");
  }
  for (const name of ["channel", "list", "presence"]) {
    for (const inner of named(name, template)) {
      complain(inner, `data-xano-${name} does nothing inside a row.`);
      inner.removeAttribute(`data-xano-${name}`);
    }
  }
  return template;
}

/** What scrolls when the list grows: itself, or what it is in, within its channel. */
function scroller(element) {
  for (let box = element; box; box = box.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(box).overflowY)) return box;
    if (box.matches(CHANNEL)) break;
  }
  return null;
}

/** Who said exactly what. */
function toKey({ client, payload }) {
  try {
    return JSON.stringify([client?.socketId, payload]);
  } catch {
    return null;
  }
}

const ROWS = 200;
const MAX_ROWS = 1000;
/** How far from the newest row one may be and still be reading it, in pixels. */
const NEAR = 60;
const STAYS = "[data-xano-empty],[data-xano-gap],[data-xano-status],[data-xano-error]";
