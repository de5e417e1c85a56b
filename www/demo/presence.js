/**
 * The list of who is in a room.
 */
(() => {
  "use strict";

  const { drawFace, guestName } = window.MarvelChat;
  const MAX_CHIPS = 60;

  function buildVouched() {
    const mark = document.createElement("span");
    mark.className = "vouched";
    mark.textContent = "✓";
    mark.title = "Logged in: the server vouches for this name.";
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", "logged in");
    return mark;
  }

  /** The list of who is here. */
  class PresenceList {
    #list;
    #note;
    #me;
    #names;
    #chosen;
    #wasChosen = false;
    #chips = new Map();

    /**
     * @param {{list: HTMLElement, note: HTMLElement}} parts  `note` says what there is to know of the names
     * @param {{me: object, names: object}} who
     * @param {((key: string) => void)|null} chosen  where people may be written to
     */
    constructor({ list, note }, { me, names }, chosen) {
      this.#list = list;
      this.#note = note;
      this.#me = me;
      this.#names = names;
      this.#chosen = chosen;
    }

    /**
     * Who has written and was not read comes first, then this tab's person, then the others.
     *
     * @param {Person[]} persons
     * @param {(key: string) => {unread?: number, open?: boolean, away?: boolean}} stateOf
     */
    draw(persons, stateOf) {
      const rank = (person) => (stateOf(person.key).unread > 0 ? 2 : Number(this.#me.is(person)));
      const shown = [...persons].sort((a, b) => rank(b) - rank(a)).slice(0, MAX_CHIPS);
      const chips = new Map(shown.map((person) => [person.key, this.#drawChip(person, stateOf(person.key))]));
      const more = persons.length - shown.length;
      this.#drawNote(shown.filter((person) => !this.#me.is(person)));
      this.#chips = chips;
      this.#place([...chips.values(), ...(more > 0 ? [buildMore(more)] : [])]);
    }

    #drawNote(others) {
      const unknown = others.some((person) => this.#names.of(person) === null);
      const words = unknown ? "Names appear when people speak." : "Press a name to write privately.";
      this.#note.hidden = !unknown && (this.#chosen === null || this.#wasChosen || others.length === 0);
      if (this.#note.textContent !== words) this.#note.textContent = words;
    }

    /** Only what is not in its place is moved, or who is there with the keyboard would lose it. */
    #place(elements) {
      for (const child of [...this.#list.children]) if (!elements.includes(child)) child.remove();
      elements.forEach((element, index) => {
        const there = this.#list.children[index];
        if (there !== element) this.#list.insertBefore(element, there ?? null);
      });
    }

    #drawChip(person, { unread = 0, open = false, away = false }) {
      const you = this.#me.is(person);
      const name = you ? this.#me.name : (this.#names.of(person) ?? guestName(person.socketId));
      const looks = JSON.stringify([name, you, unread, open, away]);
      const before = this.#chips.get(person.key);
      const old = before?.dataset.you === String(you) ? before : null;
      if (old?.dataset.looks === looks) return old;
      const chip = old ?? this.#buildChip(person, you);
      Object.assign(chip.dataset, { looks, you, open, away });
      const body = chip.firstElementChild;
      drawFace(body.querySelector(".face"), name);
      body.querySelector(".chip-name").replaceChildren(you ? `${name} (you)` : name, ...(person.member ? [buildVouched()] : []));
      body.querySelector(".badge").textContent = unread > 99 ? "99+" : String(unread);
      body.querySelector(".badge").hidden = unread === 0;
      if (body.localName !== "button") return chip;
      const news = unread ? `, ${unread} unread` : "";
      body.setAttribute("aria-label", `${name}${away ? ", not here now" : ""}: private messages${news}`);
      body.setAttribute("aria-pressed", String(open));
      return chip;
    }

    #buildChip(person, you) {
      const chip = document.createElement("li");
      const body = document.createElement(this.#chosen && !you ? "button" : "span");
      body.className = "chip";
      const [face, name, badge] = ["face", "chip-name", "badge"].map((kind) => {
        const part = document.createElement("span");
        part.className = kind;
        return part;
      });
      body.append(face, name, badge);
      chip.append(body);
      if (body.localName !== "button") return chip;
      body.type = "button";
      body.dataset.testid = "write-privately";
      body.addEventListener("click", () => {
        this.#wasChosen = true;
        this.#chosen(person.key);
      });
      return chip;
    }
  }

  function buildMore(count) {
    const more = document.createElement("li");
    more.textContent = `and ${count} more`;
    return more;
  }

  window.MarvelChat = { ...window.MarvelChat, PresenceList, buildVouched };
})();
