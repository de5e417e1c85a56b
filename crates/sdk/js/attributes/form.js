// Forms that send to a channel, in place of whoever else would take them.

import { complain } from "./check.js";
import { keep, kept } from "./settings.js";
import { attribute, named } from "./show.js";

/** Takes every form with our attribute. `roomOf` finds the channel that one is for. */
export function listen(roomOf) {
  const isOurs = (form) => form?.closest(FORM) || form?.querySelector(FORM);
  // Before all others: Webflow's script would send the fields to Webflow, and replace the form.
  addEventListener("submit", (event) => {
    if (!isOurs(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    roomOf(event.target)?.send(event.target);
  }, true);
  addEventListener("keydown", (event) => {
    const { form, localName } = event.target;
    if (localName !== "textarea" || !isOurs(form)) return;
    // Enter that ends a word in an input method has another code, in Safari nothing else tells. On a phone
    // there is no other way to begin a line.
    if (event.keyCode !== ENTER || event.shiftKey) return;
    if (!matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

/** Gives the fields that stay what was in them before the page was left. */
export function remember(form) {
  for (const field of keepers(form)) field.value ||= kept(KEEP + field.name) ?? "";
  if ([...form.elements].some(isSecret)) complain(form, "Passwords and files are not sent to a channel.");
}

/** What a form says: its payload, and what is to be emptied; null where nothing is written in it. */
export function read(form) {
  const written = [...form.elements].filter((field) => isWritten(field) && !field.hasAttribute("data-xano-keep"));
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

function toPayload(form, written) {
  const how = form.closest(FORM) ?? form.querySelector(FORM);
  if (attribute(how, "form") === "text") return written[0]?.value.trim();
  const secret = new Set([...form.elements].filter(isSecret).map(({ name }) => name));
  const fields = new Map();
  for (const [name, value] of new FormData(form)) {
    if (!name || secret.has(name) || CAPTCHA.test(name)) continue;
    const text = value.trim();
    fields.set(name, fields.has(name) ? [fields.get(name), text].flat() : text);
  }
  return fields.size ? Object.fromEntries(fields) : undefined;
}

/** The fields that stay; what is in a password's is nowhere but there. */
function keepers(form) {
  return named("keep", form).filter((field) => !isSecret(field));
}

function isSecret({ type }) {
  return /^(password|file)$/.test(type);
}

/** Whether it is for words. */
function isWritten({ localName, type, disabled }) {
  return !disabled && (localName === "textarea" || /^(text|search|url|email|tel|number)$/.test(type));
}

const FORM = "[data-xano-form]";
const KEEP = "xano-keep:";
const ENTER = 13;
/** What bot checks put into forms. */
const CAPTCHA = /^(cf-turnstile|[gh]-(re)?captcha)-response$/;
