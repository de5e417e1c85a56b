// What the script's own tag says, and what this tab remembers.

/** The settings of the page's client; throws an `Error` whose message is for the page's maker. */
export function settings(script) {
  if (typeof globalThis.XanoClient !== "function") {
    throw new Error("xano.min.js is not on the page. Put its script tag before this one; both come from the same folder.");
  }
  const said = (name) => script?.getAttribute(`data-xano-${name}`)?.trim() || null;
  const realtimeConnectionCanonical = said("hash") ?? said("canonical");
  if (!realtimeConnectionCanonical) {
    throw new Error('The connection hash is missing. Add data-xano-hash="…" to this script tag; the server prints the hash when it starts.');
  }
  const instanceBaseUrl = said("instance") ?? ownHost(script);
  if (!/^https?:\/\/[^/]/i.test(instanceBaseUrl ?? "")) {
    throw new Error('The server\'s address is missing. Add data-xano-instance="https://…" to this script tag.');
  }
  const storage = new globalThis[`Xano${STORAGES[said("storage")] ?? "Local"}Storage`]();
  const config = { instanceBaseUrl, realtimeConnectionCanonical, storage };
  const [key, token] = [said("token-key"), said("token")];
  // Asked for each connection: who logs in later is known from the next one on.
  if (key || token) config.realtimeAuthToken = () => token ?? storage.getItem(key);
  return config;
}

/** Where our server hands out this script, it is the server to talk to. */
function ownHost(script) {
  const { origin, pathname } = new URL(script?.src || "about:blank");
  return pathname.startsWith("/sdk/") ? origin : null;
}

/** The connections that were this tab's: what came over them is its own. */
export class Own {
  #ids = new Set();

  constructor() {
    this.#wake();
    // Kept only while no page is there: a tab that is duplicated would take them along.
    addEventListener("pagehide", () => keep(KEY, [...this.#ids].join(" ")));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#wake());
  }

  add(id) {
    if (!id) return;
    this.#ids.add(id);
    if (this.#ids.size > MAX_OWN) this.#ids.delete(this.#ids.values().next().value);
  }

  has(client) {
    return this.#ids.has(client?.socketId);
  }

  #wake() {
    for (const id of kept(KEY).split(" ")) this.add(id);
    keep(KEY, "");
  }
}

/** What this tab remembers under a name; nothing where it may not remember. */
export function kept(name) {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

export function keep(name, text) {
  try {
    sessionStorage.setItem(name, text);
  } catch {
    // It is a convenience.
  }
}

const KEY = "xano-own-connections";
const MAX_OWN = 50;
const STORAGES = { session: "Session", cookie: "Cookie", none: "Object" };
