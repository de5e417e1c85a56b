// A part of the page that stands for a channel.

import { complain } from "./check.js";
import { empty, read, remember } from "./form.js";
import { List, Members } from "./list.js";
import { CHANNEL, attribute, named, preset, show, write } from "./show.js";

export class Room {
  #page;
  #channel = null;
  #lists = [];
  #members = [];
  #forms = new Set();
  #gap;
  #present = [];
  #socketId;
  #joined = false;
  /** How far the channel had come when something of it was last heard. */
  #seq;
  #wasConnected = false;
  #error = null;
  #drawing = false;

  /** `page` has the client, or the problem for which there is none. */
  constructor(element, page) {
    this.element = element;
    this.#page = page;
    this.#gap = this.#find("gap")[0]?.cloneNode(true);
    this.#gap?.removeAttribute("data-xano-gap");
  }

  /** Joins; once more where the element was out of the page, with the rows that it had. */
  begin() {
    const { problem } = this.#page;
    this.scan();
    this.#setState("connecting");
    if (problem) this.#fail({ message: problem });
    else this.#open();
  }

  /** Takes in the parts that it does not know yet. */
  scan() {
    for (const mark of this.#find("gap")) mark.remove();
    this.#adopt("list", this.#lists, List);
    this.#adopt("presence", this.#members, Members);
    for (const element of this.#find("form")) {
      if (this.#forms.has(element)) continue;
      this.#forms.add(element);
      const form = element.closest("form") ?? element.querySelector("form");
      if (form) remember(form);
      else complain(element, "data-xano-form is for a form, and there is none here.");
    }
    for (const element of this.#find("status")) preset(element, "role", "status");
    for (const element of this.#find("error")) preset(element, "role", "alert");
    this.#draw();
  }

  /** Leaves; the rows stay. */
  end() {
    this.#channel?.destroy();
  }

  /** Sends what is written in a form of this channel. */
  send(form) {
    const said = read(form);
    if (!said || !this.#channel) return;
    const action = { action: "message", client: { socketId: this.#socketId }, payload: said.payload, ts: Date.now() };
    const rows = this.#lists.filter((list) => list.takes("message")).map((list) => list.addPending(action));
    const restore = empty(form, said.written);
    this.#channel.message(said.payload).then(
      (receipt) => {
        for (const row of rows) row.sent(receipt);
        this.#forgive();
        this.#draw();
      },
      ({ code, message }) => {
        const back = restore();
        for (const row of rows) back ? row.remove() : row.failed();
        this.#refuse({ code, message });
      },
    );
    this.#draw();
  }

  /** Takes in the lists of a kind that it does not know yet. */
  #adopt(name, known, Rows) {
    for (const element of this.#find(name)) {
      if (!known.some((rows) => rows.element === element)) known.push(new Rows(element));
    }
  }

  #open() {
    const { client, own } = this.#page;
    const wants = (name) => this.#find(name).length > 0;
    const history = attribute(this.element, "history") !== "false";
    try {
      // If the first use throws there is no channel: nothing can be sent, and forms keep their text.
      this.#channel = client
        .channel(attribute(this.element, "channel"), { history, presence: wants("presence") || wants("count") })
        .on((action) => this.#take(action, own), ({ payload }) => this.#takeError(payload ?? {}));
    } catch (error) {
      complain(this.element, error.message);
      this.#fail(error);
    }
  }

  #take(action, own) {
    const { payload } = action;
    if (/^(join|presence|connection)/.test(action.action)) this.#present = this.#channel.getPresence();
    switch (action.action) {
      case "message":
      case "event":
        this.#seq = action.seq ?? this.#seq;
        for (const list of this.#lists) list.add({ ...action, ts: action.ts ?? Date.now() }, own);
        this.#drawEmpty();
        return;
      case "history":
        for (const list of this.#lists) list.addHistory(payload?.history ?? [], own);
        break;
      case "gap":
        this.#takeGap(action);
        break;
      case "join":
        this.#takeJoin(action, own);
        break;
      case "leave":
        this.#fail(null);
        break;
      case "connection_status":
        this.#takeStatus(payload);
        break;
      default:
    }
    this.#draw();
  }

  #takeJoin({ client, payload }, own) {
    this.#socketId = payload?.socketId ?? client?.socketId;
    own.add(this.#socketId);
    this.#joined = true;
    // While the element was out of the page nobody listened, and what the history does not have is lost.
    const missed = payload?.seq - this.#seq;
    if (payload?.resumed === undefined && missed > (this.#channel.options.history && payload?.history)) {
      this.#takeGap({ action: "gap", payload: { missed } });
    }
    this.#seq = payload?.seq;
    this.#forgive();
    this.#setState("connected");
    if (payload?.history === 0 && attribute(this.element, "history") === "true") {
      complain(this.element, "The channel keeps no history. Switch Message History on in its settings.", "warn");
    }
    if (payload?.presence === false && this.#channel.options.presence) {
      complain(this.element, "The channel does not tell who is there. Switch Presence on in its settings.", "warn");
    }
  }

  #takeGap(action) {
    if (!this.#gap) return;
    const talk = this.#lists.filter((list) => list.takes("message"));
    for (const list of talk.length ? talk : this.#lists) list.addGap(this.#gap, action);
  }

  #takeStatus({ status, code, retryIn } = {}) {
    if (status === "connected") {
      this.#wasConnected = true;
      return;
    }
    if (code !== undefined && retryIn === undefined) this.#fail(this.#error);
    else this.#setState("reconnecting");
    if (!this.#wasConnected && retryIn !== undefined) this.#page.examine();
  }

  #takeError(payload) {
    // The receipt of what was sent tells the same, and whose it was.
    if (payload.action === "message" && payload.code) return;
    this.#refuse(payload);
    const isPutOff = /^(overloaded|rate_limited)$/.test(payload.code);
    if (!isPutOff && (payload.action === "join" || (!this.#joined && !payload.code))) this.#fail(payload);
  }

  /** What a visitor reads, and what the page's maker does about it. */
  #refuse(payload) {
    this.#setError(payload);
    complain(this.element, `${payload.message} ${CURES[payload.code] ?? ""}`.trim());
  }

  /** All is well again, except that somebody may have to log in. */
  #forgive() {
    if (this.#error?.code !== "invalid_token") this.#setError(null);
  }

  /** Nothing comes any more. */
  #fail(error) {
    this.#setError(error);
    this.#setState("closed");
  }

  /** Says why nothing works, where a look at the connection has found out. */
  showProblem(error) {
    if (!this.#joined) this.#setError(error);
  }

  #setError(error) {
    this.#error = error;
    for (const element of this.#find("error")) {
      const codes = words(element, "error");
      if (!codes.length) write(element, error?.message ?? "");
      show(element, error !== null && (!codes.length || codes.includes(error.code)));
    }
  }

  #setState(state) {
    this.state = state;
    // What fills a list up is not to be read out row by row; it comes in the same breath as the connection.
    const mark = () => {
      for (const { element } of this.#lists) element.setAttribute("aria-busy", this.state !== "connected");
    };
    if (state === "connected") setTimeout(mark, 1000);
    else mark();
    for (const button of this.element.querySelectorAll("[data-xano-form] [type=submit]")) {
      if (button.closest(CHANNEL) === this.element) button.disabled = state === "closed";
    }
    this.#draw();
  }

  #draw() {
    // Many come at once when a channel begins, and after a reconnect.
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      this.#drawState();
      this.#drawMembers();
      this.#drawEmpty();
    });
  }

  #drawEmpty() {
    for (const element of this.#find("empty")) {
      const kind = attribute(element, "empty") || "messages";
      const lists = this.#lists.filter((list) => list.kind === kind);
      show(element, this.#joined && lists.every((list) => list.isEmpty));
    }
  }

  #drawState() {
    const elements = this.#find("status");
    for (const element of [this.element, ...elements]) {
      element.setAttribute("data-xano-state", this.state);
      for (const state of STATES.keys()) element.classList.toggle(`is-${state}`, state === this.state);
    }
    for (const element of elements) {
      const states = words(element, "status");
      if (states.length) show(element, states.includes(this.state));
      else write(element, STATES.get(this.state));
    }
  }

  #drawMembers() {
    for (const list of this.#members) list.draw(this.#present, this.#page.own);
    for (const element of this.#find("count")) write(element, `${this.#present.length}`);
  }

  /** The parts that are this channel's, and not those of one inside it. */
  #find(name) {
    return named(name, this.element).filter((element) => element.closest(CHANNEL) === this.element);
  }
}

/** What an attribute lists, beside what stands for all of it. */
function words(element, name) {
  return attribute(element, name).split(/\s+/).filter((word) => word && word !== "text");
}

const STATES = new Map([
  ["connecting", "Connecting…"],
  ["connected", "Connected"],
  ["reconnecting", "Connection lost, trying again…"],
  ["closed", "Not connected"],
]);
const CURES = {
  channel_not_found: "Create the channel in the realtime settings, or correct data-xano-channel.",
  anonymous_join_refused: "Switch Anonymous Clients on in the channel's settings, or give the script a token.",
  messaging_disabled: "Switch Client Public Messaging on in the channel's settings.",
  authentication_required: "Give the script a token.",
  invalid_channel_name: "Correct data-xano-channel.",
  unknown_hash: "Copy the connection hash again, and see whether realtime is switched on.",
  invalid_token: "The visitor has to log in again.",
};
