// Elements: which there are, whether they are on show, and what they say.

export const CHANNEL = "[data-xano-channel]";
export const FORM = "[data-xano-form]";
/** A field, or what holds fields. */
export const KEPT = `${FORM} [data-xano-keep]`;

/** The elements below `root`, itself included, that have the attribute. */
export function named(name, root = document) {
  const selector = `[data-xano-${name}]`;
  const below = [...root.querySelectorAll(selector)];
  return root.matches?.(selector) ? [root, ...below] : below;
}

export function attribute(element, name) {
  return element.getAttribute(`data-xano-${name}`)?.trim() ?? "";
}

/** What the page's maker has set goes first. */
export function preset(element, name, value) {
  if (!element.hasAttribute(name)) element.setAttribute(name, value);
}

/** Whether an element that the page's maker drew is on show, however its class has it. */
export function show(element, shown) {
  element.style.display = shown ? "" : "none";
  if (shown && getComputedStyle(element).display === "none") {
    element.style.display = attribute(element, "display") || "block";
  }
}

/** Text of the network is never anything but text. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Fills in a copy of a template from an action, or from what looks like one. */
export function fill(row, action) {
  for (const element of named("text", row)) {
    const text = toText(find(action, attribute(element, "text"))) || attribute(element, "fallback");
    write(element, text);
    if (!element.dir) element.dir = "auto";
  }
  for (const element of named("time", row)) {
    const date = new Date(action.ts ?? NaN);
    const known = !isNaN(date);
    write(element, known ? toTime(date, attribute(element, "time")) : "");
    if (known && element.localName === "time") element.dateTime = date.toISOString();
  }
}

/** The first of the paths that leads to something, as in "payload.name | client.extras.name". */
export function find(action, paths) {
  for (const path of paths.split("|")) {
    const value = path.trim().split(".").reduce(step, action);
    // Blanks are nothing too, or nobody would be seen to have written it.
    if (typeof value === "string" ? value.trim() : value != null) return value;
  }
  return undefined;
}

function step(value, name) {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, name)) return value[name];
  // Webflow names a field as it was typed: "Message" is meant by "message" as well.
  const alike = Object.keys(value).find((key) => key.toLowerCase() === name.toLowerCase());
  return alike === undefined ? undefined : value[alike];
}

function toText(value = "") {
  let text = value;
  try {
    if (typeof value !== "string") text = JSON.stringify(value);
  } catch {
    // Nested deeper than the browser's stack.
    text = "…";
  }
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

function toTime(date, kind) {
  const today = date.toDateString() === new Date().toDateString();
  const style = {};
  if (kind !== "date") style.timeStyle = "short";
  if (/date/.test(kind) || (kind !== "time" && !today)) style.dateStyle = "medium";
  try {
    return date.toLocaleString(document.documentElement.lang || undefined, style);
  } catch {
    // The page's language is none that browsers know.
    return date.toLocaleString(undefined, style);
  }
}

const MAX_TEXT = 10_000;
