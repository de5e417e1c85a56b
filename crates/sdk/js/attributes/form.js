// Forms that send to a channel, in place of whoever else would take them.

import { complain } from "./check.js";
import { keep, kept } from "./settings.js";
import { FORM, KEPT, attribute } from "./show.js";

/** Takes every form with our attribute. `roomOf` finds the channel that one is for. */
export function listen(roomOf) {
  // Before all others: Webflow's script would send the fields to Webflow, and replace the form.
  addEventListener("submit", (event) => {
    if (!marked(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    roomOf(event.target)?.send(event.target);
  }, true);
  addEventListener("keydown", (event) => {
    const { form, localName } = event.target;
    if (localName !== "textarea" || !marked(form)) return;
    // Enter that ends a word in an input method has another code, in Safari nothing else tells. On a phone
    // there is no other way to begin a line.
    if (event.keyCode !== ENTER || event.shiftKey) return;
    if (matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    HTMLFormElement.prototype.requestSubmit.call(form);
  });
}

/** Gives the fields that stay what was in them before the page was left. */
export function remember(form) {
  for (const field of keepers(form)) field.value ||= kept(KEEP + field.name);
  if (fields(form).some(isSecret)) complain(form, "Passwords and files are not sent to a channel.");
}

/** What a form says: its payload, and what is to be emptied; null where nothing is written in it. */
export function read(form) {
  const written = fields(form).filter((field) => isWritten(field) && !field.closest(KEPT));
  if (written.length && written.every(({ value }) => !value.trim())) {
    written[0].focus();
    return null;
  }
  const payload = toPayload(form, written);
  if (payload !== undefined) return { payload, written };
  complain(form, "None of its fields has a name. Give each one a Name in its settings.");
  return null;
}

/** Empties the fields, and gives back what undoes that as long as nothing new is written. */
export function empty(form, written) {
  for (const field of keepers(form)) keep(KEEP + field.name, field.value);
  const before = written.map(({ value }) => value);
  const set = (values) =>
    written.forEach((field, at) => {
      field.value = values[at] ?? "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  set([]);
  written[0]?.focus();
  return () => {
    const free = written.length > 0 && written.every(({ value }) => !value);
    if (free) set(before);
    return free;
  };
}

/** The element that says that a form is for a channel: itself, or the block around it, or in it. */
function marked(form) {
  return form?.closest(FORM) ?? form?.querySelector(FORM);
}

function toPayload(form, written) {
  if (attribute(marked(form), "form") === "text") return written[0]?.value.trim();
  const secret = new Set(fields(form).filter(isSecret).map(({ name }) => name));
  const said = new Map();
  for (const [name, value] of new FormData(form)) {
    if (!name || secret.has(name) || CAPTCHA.test(name)) continue;
    const text = value.trim();
    said.set(name, said.has(name) ? [said.get(name), text].flat() : text);
  }
  return said.size ? Object.fromEntries(said) : undefined;
}

/** The fields that stay; what is in a password's is nowhere but there. */
function keepers(form) {
  return fields(form).filter((field) => field.closest(KEPT) && !isSecret(field));
}

/** Not `form.elements`: a field of that name would be in its place. */
function fields(form) {
  return [...Reflect.get(HTMLFormElement.prototype, "elements", form)];
}

function isSecret({ type }) {
  return /^(password|file)$/.test(type);
}

/** Whether it is for words. */
function isWritten({ localName, type, disabled }) {
  return !disabled && (localName === "textarea" || /^(text|search|url|email|tel|number)$/.test(type));
}

const KEEP = "xano-keep:";
const ENTER = 13;
/** What bot checks put into forms. */
const CAPTCHA = /^(cf-turnstile|[gh]-(re)?captcha)-response$/;
