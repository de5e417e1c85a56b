// Tells the page's maker what is wrong with an attribute, where, and what to do.

import { CHANNEL, KEPT } from "./show.js";

/** Says on the console what is wrong with an element. Its other attributes may hold a token. */
export function complain(element, what, level = "error") {
  const localName = element?.localName ?? "script";
  // A form's own `id` is the field of that name, where it has one.
  const id = element?.getAttribute("id");
  // Without the classes that this script has added.
  const drawn = element?.getAttribute("class")?.replace(/(^| )is-\w+/g, "").trim();
  const where = [localName, id && `id="${id}"`, drawn && `class="${drawn}"`].filter(Boolean).join(" ");
  // Consoles show where on the page an element is; the script is nowhere, and may hold a token.
  const shown = localName === "script" ? [] : [element];
  console[level](`xano-attributes: <${where}>: ${what}`, ...shown);
}

const checked = new WeakSet();

/** Looks at every attribute of ours that it has not seen yet. */
export function check(root) {
  for (const element of root.querySelectorAll("*")) {
    if (checked.has(element)) continue;
    for (const name of element.getAttributeNames()) {
      if (!name.startsWith(PREFIX)) continue;
      checked.add(element);
      judge(element, name, element.getAttribute(name).trim());
    }
  }
}

function judge(element, attribute, value) {
  const name = attribute.slice(PREFIX.length);
  const [place, values] = Object.hasOwn(RULES, name) ? RULES[name] : [];
  if (!place) {
    const [nearest] = Object.keys(RULES).sort((one, other) => likeness(name, other) - likeness(name, one));
    complain(element, `There is no attribute ${attribute}. Did you mean ${PREFIX}${nearest}?`, "warn");
    return;
  }
  if (!element.closest(place)) complain(element, `${attribute} does nothing here. ${CURES[place]}`);
  const isPath = name === "text";
  const wrong = value.split(isPath ? "|" : " ").find((word) => !fits(word.trim(), values, isPath));
  if (wrong === undefined) return;
  const more = isPath ? ", or a path from there, as in payload.message" : "";
  complain(element, `${attribute}="${value}" is not understood. Expected: ${values}${more}.`);
}

function fits(word, values, isPath) {
  if (!values) return true;
  if (values === NUMBER) return !word || (word >= 1 && word <= 1000);
  return word ? values.split(", ").includes(isPath ? word.split(".")[0] : word) : !isPath;
}

/** How many pairs of letters of a name are in another one. */
function likeness(name, other) {
  return [...name].filter((_, at) => other.includes(name.slice(at, at + 2))).length;
}

const PREFIX = "data-xano-";
const SCRIPT = "script";
const ROW = "[data-xano-list],[data-xano-presence],[data-xano-gap]";
const CURES = {
  [SCRIPT]: "Put it on the script tag.",
  [CHANNEL]: "Put it inside the element with data-xano-channel.",
  [ROW]: "Put it inside the first child of a data-xano-list or data-xano-presence.",
  [KEPT]: "Put it on a field of the form with data-xano-form.",
};
const KINDS = "messages, events, all";
const NUMBER = "a number from 1 to 1000";
/** By attribute: what it has to be in, itself included, and what each word of its value may be. */
const RULES = {
  instance: [SCRIPT],
  hash: [SCRIPT],
  canonical: [SCRIPT],
  token: [SCRIPT],
  "token-key": [SCRIPT],
  storage: [SCRIPT, "local, session, cookie, none"],
  channel: [CHANNEL],
  history: [CHANNEL, "true, false"],
  list: [CHANNEL, KINDS],
  limit: [CHANNEL, NUMBER],
  order: [CHANNEL, "oldest, newest"],
  text: [ROW, "payload, client, action, ts, id, seq"],
  fallback: [ROW],
  time: [ROW, "auto, time, date, datetime"],
  form: [CHANNEL, "object, text"],
  keep: [KEPT],
  presence: [CHANNEL],
  count: [CHANNEL],
  status: [CHANNEL, "text, connecting, connected, reconnecting, closed"],
  error: [CHANNEL],
  empty: [CHANNEL, KINDS],
  gap: [CHANNEL],
  display: [CHANNEL],
  state: [CHANNEL],
};
