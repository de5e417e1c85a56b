// Where requests go. Addresses are spelled the way axios does it, which @xano/js-sdk leaves them to:
// a server cannot tell the two apart.

import { coded } from "./fault.js";

/** `parameters` are names and values. */
export function addressOf(base, endpoint, parameters) {
  let address = endpoint;
  if (!endpoint) address = base;
  else if (!ABSOLUTE.test(endpoint)) address = `${base.replace(/\/+$/, "")}/${endpoint.replace(/^\/+/, "")}`;
  const query = [];
  add(query, "", parameters, 0);
  if (!query.length) return address;
  address = address.replace(/#.*/s, "");
  return `${address}${address.includes("?") ? "&" : "?"}${query.join("&")}`;
}

/** `a=1&b[]=2&b[]=3&c[d]=4`: a plain list repeats its name, any other depth is spelled with its keys. */
function add(query, name, parts, depth) {
  if (depth > MAX_DEPTH) throw coded(TOO_DEEP, "params_too_deep");
  const isList = depth === 1 && Array.isArray(parts);
  const entries = (depth ? Object.entries(parts) : parts).map(([key, value]) => [key.trim(), readable(value)]);
  const isPlain = isList && !entries.some(([, value]) => isGroup(value));
  for (const [key, value] of entries) {
    const inner = depth ? `${bare(name)}[${isPlain ? "" : bare(key)}]` : key;
    if (isGroup(value)) add(query, inner, value, depth + 1);
    else if (value != null) query.push(`${escaped(inner)}=${escaped(value)}`);
  }
}

/** Dates, and whatever else knows how it reads, as that. */
export function readable(value) {
  return typeof value?.toJSON === "function" ? value.toJSON() : value;
}

function isGroup(value) {
  return typeof value === "object" && value !== null;
}

/** Without the `[]` at its end, which is put there again where it belongs. */
function bare(name) {
  return name.replace(/\[\]$/, "");
}

function escaped(text) {
  return encodeURIComponent(text).replace(/%(?:24|2C|3A)/g, decodeURIComponent).replace(/%20/g, "+");
}

const ABSOLUTE = /^([a-z][a-z\d+\-.]*:)?\/\//i;
/** As deep as axios goes. */
const MAX_DEPTH = 100;
const TOO_DEEP = "The parameters of this request are nested more than 100 levels deep, or contain themselves.";
