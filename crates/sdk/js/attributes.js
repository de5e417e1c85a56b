// For pages that are made without code: attributes say what is to be shown and sent. A script of its
// own, behind xano.min.js.

import { check, complain } from "./attributes/check.js";
import { listen } from "./attributes/form.js";
import { Room } from "./attributes/room.js";
import { Own, settings } from "./attributes/settings.js";
import { CHANNEL, named } from "./attributes/show.js";

/** A module has no current script. */
const script = document.currentScript ?? document.querySelector("script[data-xano-hash]");
/** By the element that names its channel; one that leaves the page may come back. */
const rooms = new WeakMap();
/** The rooms of the elements that are in the page. */
let live = [];

/** What the rooms need of the page. */
const page = {
  client: null,
  own: new Own(),
  problem: null,

  /** Says why there is no connection, once. */
  examine: async () => {
    page.examine = () => {};
    for (const finding of await page.client.doctor()) {
      complain(script, finding.message);
      for (const room of live) room.showProblem(finding);
    }
  },
};

const XanoAttributes = {
  /** The page's `XanoClient`; null until the page is there, and where the settings are wrong. */
  get client() {
    return page.client;
  },

  /** Looks at the page again: needed only for parts that come into a channel's element later. */
  scan() {
    if (!page.client && !page.problem) return;
    check(document);
    const before = live;
    live = named("channel").map((element) => {
      if (!rooms.has(element)) rooms.set(element, new Room(element, page));
      return rooms.get(element);
    });
    for (const room of before) if (!live.includes(room)) room.end();
    for (const room of live) before.includes(room) ? room.scan() : room.begin();
  },
};

function start() {
  try {
    page.client = new globalThis.XanoClient(settings(script));
  } catch (error) {
    page.problem = error.message;
    complain(script, page.problem);
  }
  XanoAttributes.scan();
  // Page transitions and lists that load more bring and take whole channels.
  const concerns = (node) => node.matches?.(CHANNEL) || node.querySelector?.(CHANNEL);
  new MutationObserver((changes) => {
    const nodes = changes.flatMap(({ addedNodes, removedNodes }) => [...addedNodes, ...removedNodes]);
    if (nodes.some(concerns)) XanoAttributes.scan();
  }).observe(document.documentElement, { childList: true, subtree: true });
}

if (globalThis.XanoAttributes) {
  complain(script, "This script is on the page twice. Remove one of its tags.");
} else {
  globalThis.XanoAttributes = XanoAttributes;
  // At once: until the page is there, Webflow's script would take the forms.
  listen((form) => rooms.get(form.closest(CHANNEL)));
  // The other script may come behind this one, and be in no hurry.
  if (document.readyState === "complete" || (globalThis.XanoClient && document.readyState !== "loading")) start();
  else if (globalThis.XanoClient) addEventListener("DOMContentLoaded", start);
  else addEventListener("load", start);
}
