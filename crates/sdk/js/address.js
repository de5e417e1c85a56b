// Where a client's realtime connection goes, by its settings.

import { coded } from "./fault.js";

/**
 * The address of the WebSocket: `http:` becomes `ws:` and `https:` becomes `wss:`, host and port stay, the
 * path goes. What is no text, or an empty one, counts as not set.
 */
export function realtimeAddress(config) {
  const base = baseOf(config);
  if (!base) throw coded(NO_BASE_URL, "no_base_url");
  const hash = first(config, ["realtimeConnectionCanonical", "realtimeCanonical", "realtimeConnectionHash"]);
  if (!hash) throw coded(NO_CANONICAL, "no_canonical");
  const [, secure, host] = WEB_ADDRESS.exec(base) ?? [];
  if (!host) throw coded(INVALID_BASE_URL, "invalid_base_url");
  return `ws${secure.toLowerCase()}://${host}/rt/${hash}`;
}

/** The base URL that counts for realtime. */
export function baseOf(config) {
  return first(config, ["instanceBaseUrl", "instanceBaseURL", "apiGroupBaseUrl"]);
}

function first(config, names) {
  return names.map((name) => config[name]).map((text) => typeof text === "string" && text.trim()).find(Boolean);
}

const WEB_ADDRESS = /^(?:http|ws)(s?):\/\/(?:[^/?#]*@)?([^/?#@:][^/?#@]*)(?=[/?#]|$)/i;
// The first two are the old SDK's, word for word.
const NO_BASE_URL = "Please configure instanceBaseUrl or apiGroupBaseUrl setting before connecting to realtime";
const NO_CANONICAL = "Please configure realtimeConnectionCanonical setting before connecting to realtime";
const INVALID_BASE_URL = "The instanceBaseUrl or apiGroupBaseUrl setting is not a valid http: or https: URL";
