/**
 * The rooms: a panel for each, side by side or, where there is no space for that, behind tabs.
 */
(() => {
  "use strict";

  const { ChannelPanel } = window.MarvelChat;
  /** How wide a page has to be to show so many rooms side by side. */
  const SIDE_BY_SIDE = new Map([[2, 860], [3, 1180]]);
  const $ = (id) => document.getElementById(id);

  class Rooms {
    #who;
    #changed;
    /** @type {Map<string, {panel: ChannelPanel, tab: HTMLElement, channel: any}>} by channel name */
    #views = new Map();
    #active = null;

    /**
     * @param {{me: object, names: object}} who
     * @param {(news: {messages: number, names: boolean}) => void} changed
     */
    constructor(who, changed) {
      this.#who = who;
      this.#changed = changed;
      for (const width of SIDE_BY_SIDE.values()) {
        window.matchMedia(`(min-width: ${width}px)`).addEventListener("change", () => this.draw());
      }
    }

    get isEmpty() {
      return this.#views.size === 0;
    }

    has(name) {
      return this.#views.has(name);
    }

    get names() {
      return [...this.#views.keys()];
    }

    get panels() {
      return [...this.#views.values()].map(({ panel }) => panel);
    }

    get channels() {
      return [...this.#views.values()].map(({ channel }) => channel);
    }

    get active() {
      return this.#views.get(this.#active).panel;
    }

    /** What is written and not sent yet, by channel. */
    get drafts() {
      return new Map([...this.#views].map(([name, { panel }]) => [name, panel.draft]));
    }

    set drafts(drafts) {
      for (const [name, { panel }] of this.#views) panel.draft = drafts.get(name) ?? "";
    }

    panel(name) {
      return this.#views.get(name).panel;
    }

    setChannel(name, channel) {
      this.#views.get(name).channel = channel;
    }

    /** Builds a room; it is not connected yet. */
    add(room) {
      const { name } = room;
      const send = (payload, options) => this.#views.get(name).channel.message(payload, options);
      const panel = new ChannelPanel(room, this.#who, { send, changed: (news) => this.#changed(news) });
      const tab = this.#buildTab(room, panel);
      this.#views.set(name, { panel, tab, channel: null });
      this.#active ??= name;
      $("panels").append(panel.element);
      $("tabs").append(tab);
    }

    clear() {
      this.#views.clear();
      this.#active = null;
      $("panels").replaceChildren();
      $("tabs").replaceChildren();
    }

    activate(name) {
      this.#active = name;
      this.draw();
    }

    /** Side by side there is no choosing; where it is narrow, one room is on show. */
    draw() {
      if (this.isEmpty) return;
      const columns = window.matchMedia(`(min-width: ${SIDE_BY_SIDE.get(this.#views.size)}px)`).matches;
      $("chat").dataset.layout = columns ? "columns" : "tabs";
      for (const [name, { panel, tab }] of this.#views) {
        const chosen = name === this.#active;
        panel.setShown(columns || chosen);
        if (columns) panel.element.removeAttribute("role");
        else panel.element.setAttribute("role", "tabpanel");
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
      }
      $("skip").href = `#message-${this.#active}`;
      this.drawUnread();
    }

    drawUnread() {
      for (const { panel, tab } of this.#views.values()) {
        const badge = tab.querySelector(".badge");
        badge.hidden = panel.unread === 0;
        badge.textContent = panel.unread > 99 ? "99+" : String(panel.unread);
        badge.setAttribute("aria-label", `${panel.unread} unread`);
      }
    }

    #buildTab({ name, title, accent }, panel) {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `tab-${name}`;
      tab.dataset.accent = accent;
      tab.dataset.testid = `tab-${name}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.element.id);
      const badge = document.createElement("span");
      badge.className = "badge";
      badge.dataset.testid = "unread";
      tab.append(title, badge);
      tab.addEventListener("click", () => this.activate(name));
      tab.addEventListener("keydown", (event) => this.#move(event));
      return tab;
    }

    #move(event) {
      const order = [...this.#views.keys()];
      const at = order.indexOf(this.#active);
      const moves = new Map([["ArrowRight", at + 1], ["ArrowLeft", at - 1], ["Home", 0], ["End", -1]]);
      const to = moves.get(event.key);
      if (to === undefined) return;
      event.preventDefault();
      this.activate(order.at(to % order.length));
      this.#views.get(this.#active).tab.focus();
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Rooms };
})();
