/**
 * Heroes, their drawn faces, and what a browser tab remembers of who it is.
 */
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const TONES = 10;
  const MAX_NAME = 40;
  const MAX_KNOWN_NAMES = 2000;
  const MAX_CHIPS = 60;
  const MAX_OWN_SOCKETS = 100;
  const TAB_KEY = "marvel-chat-tab";

  /** Outlines on a 48 × 48 board, plain geometry on purpose: nobody's emblem. */
  const SHAPES = {
    burst: "M24 2l5 8 8-5 1 9 9 1-5 8 5 9-9 1-1 9-8-4-5 8-5-8-8 4-1-9-9-1 5-9-5-8 9-1 1-9 8 5z",
    circle: "M24 3a21 21 0 1 1 0 42 21 21 0 1 1 0-42z",
    cut: "M12 3h24l9 9v24l-9 9H12l-9-9V12z",
    diamond: "M24 1l22 23-22 23L2 24z",
    drop: "M45 3v22a21 21 0 1 1-21-22z",
    gem: "M11 4h26l9 15-22 27L2 19z",
    hexagon: "M24 2l20 11v22L24 46 4 35V13z",
    leaf: "M3 3h24a18 18 0 0 1 18 18v24H21A18 18 0 0 1 3 27z",
    slab: "M10 4h35l-7 40H3z",
    square: "M10 4h28a6 6 0 0 1 6 6v28a6 6 0 0 1-6 6H10a6 6 0 0 1-6-6V10a6 6 0 0 1 6-6z",
  };

  const HEROES = [
    { name: "Spider-Man", tone: 0, shape: "burst", initials: "SM" },
    { name: "Iron Man", tone: 4, shape: "hexagon", initials: "IM" },
    { name: "Storm", tone: 6, shape: "slab", initials: "ST" },
    { name: "Black Panther", tone: 2, shape: "diamond", initials: "BP" },
    { name: "Hulk", tone: 3, shape: "cut", initials: "HU" },
    { name: "Captain Marvel", tone: 5, shape: "gem", initials: "CM" },
    { name: "Wonder Woman", tone: 0, shape: "leaf", initials: "WW" },
    { name: "Batman", tone: 7, shape: "square", initials: "BM" },
    { name: "Superman", tone: 1, shape: "gem", initials: "SU" },
    { name: "The Flash", tone: 8, shape: "slab", initials: "FL" },
    { name: "Aquaman", tone: 9, shape: "drop", initials: "AQ" },
    { name: "Zatanna", tone: 2, shape: "circle", initials: "ZA" },
  ];
  const HERO_BY_NAME = new Map(HEROES.map((hero) => [hero.name, hero]));

  /** A stable small number for any name, so that strangers keep their colour. */
  function sum(name) {
    let total = 7;
    for (const letter of name) total = (total * 31 + letter.codePointAt(0)) % 65521;
    return total;
  }

  /** Looks of a name: a hero's own, or ones derived from the letters. */
  function looks(name) {
    const hero = HERO_BY_NAME.get(name);
    if (hero) return hero;
    const words = name.replace(/^Guest /, "").split(/[\s_.-]+/).filter(Boolean);
    const [first = "?", second] = words;
    const letters = second ? [[...first][0], [...second][0]] : [...first].slice(0, 2);
    const shapes = Object.keys(SHAPES);
    const total = sum(name);
    return {
      name,
      tone: total % TONES,
      shape: name.startsWith("Guest ") ? "circle" : shapes[total % shapes.length],
      initials: letters.join("").toUpperCase(),
    };
  }

  function svg(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  /** Draws the face of `name` into `holder`, unless it is there already. */
  function drawFace(holder, name) {
    if (holder.dataset.name === name) return;
    const { tone, shape, initials } = looks(name);
    const picture = svg("svg", { viewBox: "0 0 48 48", "aria-hidden": "true", focusable: "false" });
    const text = svg("text", { x: 24, y: 30, "text-anchor": "middle" });
    text.textContent = initials;
    picture.append(
      svg("path", { d: SHAPES[shape], class: "face-fill" }),
      svg("path", { d: SHAPES[shape], class: "face-dots", fill: "url(#dots)" }),
      svg("path", { d: SHAPES[shape], class: "face-line" }),
      text,
    );
    holder.dataset.name = name;
    holder.dataset.tone = String(tone);
    holder.replaceChildren(picture);
  }

  /** What to call someone of whom only the socket id is known. */
  function guestName(socketId) {
    const letters = String(socketId ?? "").replace(/[^A-Za-z0-9]/g, "").slice(0, 4).toLowerCase();
    return letters ? `Guest ${letters}` : "Guest";
  }

  /** A name from the network, made fit to show, or null. */
  function cleanName(value) {
    if (typeof value !== "string") return null;
    const name = value.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
    return name ? [...name].slice(0, MAX_NAME).join("") : null;
  }

  /** Names by socket id, learnt from messages: presence itself carries none. */
  class Names {
    #names = new Map();

    learn(socketId, name) {
      if (typeof socketId !== "string" || !name || this.#names.get(socketId) === name) return false;
      this.#names.delete(socketId);
      this.#names.set(socketId, name);
      if (this.#names.size > MAX_KNOWN_NAMES) this.#names.delete(this.#names.keys().next().value);
      return true;
    }

    of(socketId) {
      return this.#names.get(socketId) ?? null;
    }
  }

  function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /**
   * Who this tab is: author id, hero, and the socket ids it has had.
   *
   * Session storage holds it only while no page is alive (from `pagehide` to the next load).
   * A duplicated tab gets a copy of the storage of a living page, so it finds nothing there and
   * becomes somebody else: that is what lets people chat with themselves.
   */
  class Me {
    author = randomId();
    hero = HEROES[Math.floor(Math.random() * HEROES.length)].name;
    socketId = null;
    #socketIds = new Set();

    constructor() {
      this.#wake();
      window.addEventListener("pagehide", () => this.#rest());
      window.addEventListener("pageshow", (event) => {
        if (event.persisted) this.#wake();
      });
    }

    setSocketId(socketId) {
      if (typeof socketId !== "string") return;
      this.socketId = socketId;
      this.#socketIds.add(socketId);
      if (this.#socketIds.size > MAX_OWN_SOCKETS) this.#socketIds.delete(this.#socketIds.values().next().value);
    }

    /** The author id is public, so the server's socket id has to agree where one is known. */
    wrote(author, socketId) {
      return author === this.author && (this.#socketIds.size === 0 || this.#socketIds.has(socketId));
    }

    #wake() {
      try {
        const kept = JSON.parse(sessionStorage.getItem(TAB_KEY));
        sessionStorage.removeItem(TAB_KEY);
        if (!kept) return;
        this.author = String(kept.author);
        this.hero = HERO_BY_NAME.has(kept.hero) ? kept.hero : this.hero;
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

  /** What a member is called, or null where nobody knows yet. */
  function nameOf(member, me, names) {
    if (member.socketId === me.socketId) return me.hero;
    return names.of(member.socketId) ?? cleanName(member.extras?.name);
  }

  function buildChip(name, you) {
    const chip = document.createElement("li");
    const face = document.createElement("span");
    face.className = "face";
    drawFace(face, name);
    const words = document.createElement("span");
    words.textContent = you ? `${name} (you)` : name;
    chip.dataset.you = String(you);
    chip.append(face, words);
    return chip;
  }

  const drawnMembers = new WeakMap();

  /**
   * Lists who is here, this tab first; does nothing when the list would look the same.
   * `note` is shown where somebody's name is not known yet.
   */
  function drawMembers({ list, note }, members, me, names) {
    const mine = (member) => member.socketId === me.socketId;
    const shown = [...members].sort((a, b) => mine(b) - mine(a)).slice(0, MAX_CHIPS);
    const known = shown.map((member) => nameOf(member, me, names));
    const called = known.map((name, index) => name ?? guestName(shown[index].socketId));
    const looksNow = JSON.stringify([members.length, known, called, mine(shown[0] ?? {})]);
    if (drawnMembers.get(list) === looksNow) return;
    drawnMembers.set(list, looksNow);
    const chips = shown.map((member, index) => buildChip(called[index], mine(member)));
    if (members.length > MAX_CHIPS) {
      const more = document.createElement("li");
      more.textContent = `and ${members.length - MAX_CHIPS} more`;
      chips.push(more);
    }
    note.hidden = !known.includes(null);
    list.replaceChildren(...chips);
  }

  window.MarvelChat = { ...window.MarvelChat, HEROES, Me, Names, cleanName, drawFace, drawMembers, guestName, randomId };
})();
