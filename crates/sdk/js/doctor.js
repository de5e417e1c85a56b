// Says in words why there is no connection, from one attempt of its own.

import { baseOf, realtimeAddress } from "./address.js";
import { channelOf, start } from "./start.js";

/** How long the attempt may take, in milliseconds: a little more than the SDK's own deadline. */
const PATIENCE = 12_000;

/** Everything that is wrong, as far as it shows from here; nothing where all is well. */
export async function examine(config, token) {
  if (typeof token === "function") {
    try {
      token = await token();
    } catch (error) {
      return [found("token_function_failed", `realtimeAuthToken() failed: ${error?.message ?? error}`)];
    }
  }
  token = token == null || token === "" ? null : `${token}`;
  try {
    return await judge(await attempt(realtimeAddress(config), token), baseOf(config), token);
  } catch ({ code, message }) {
    return [found(code, message)];
  }
}

/** What comes of connecting, up to the first answer to a join. */
async function attempt(address, token) {
  const seen = { errors: [], connected: false, blocked: false, close: null };
  const takeBlocked = () => (seen.blocked = true);
  globalThis.addEventListener?.("securitypolicyviolation", takeBlocked);
  let core, timer;
  await new Promise((resolve, reject) => {
    timer = setTimeout(resolve, PATIENCE);
    const take = ({ action, payload, options }) => {
      if (action === "error") seen.errors.push(payload.code);
      if (payload?.status === "connected") seen.connected = true;
      if (payload?.status === "disconnected") seen.close = payload;
      // Firefox tells what it has blocked in a task of its own, behind this one.
      if (seen.close || options?.channel) setTimeout(resolve);
    };
    try {
      core = start(address, token, false);
      // Whether there is such a channel does not matter: the server says so.
      channelOf(core, "xano-realtime-doctor").on(undefined, take, take);
    } catch (error) {
      reject(error);
    }
  }).finally(() => {
    clearTimeout(timer);
    globalThis.removeEventListener?.("securitypolicyviolation", takeBlocked);
    core?.destroy();
  });
  return seen;
}

async function judge({ errors, connected, blocked, close }, base, token) {
  if (errors.includes("unknown_hash")) {
    return [found("unknown_hash", "The server does not know this connection hash, or realtime is switched off there. Compare it with the realtime settings.")];
  }
  if (errors.includes("invalid_token")) return [judgeToken(token)];
  if (connected && !close) return [];
  if (connected) return [found("closed", `The server ended the connection with code ${close.code}. ${close.reason}`)];
  if (blocked) return [found("csp_blocks_connection", `The page's Content-Security-Policy does not allow the connection: add ${base.replace(/^http/, "ws")} to its connect-src directive.`)];
  if (globalThis.navigator?.onLine === false) return [found("offline", "This device has no network.")];
  const secure = /^https/i.test(base);
  if (!secure && globalThis.location?.protocol === "https:") {
    return [found("mixed_content", "The page came by https:, so the browser may refuse a server that has only http:. Give the server a certificate.")];
  }
  try {
    await fetch(base, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    return [found("unreachable", `Nothing answers at ${base}. Is the address right, and the server running${secure ? ", and does this device trust its certificate" : ""}?`)];
  }
  return [found("no_realtime", `Something answers at ${base}, but not as a realtime server. Is the address right, and does every proxy before the server pass WebSockets on?`)];
}

function judgeToken(token) {
  const now = Date.now() / 1000;
  let claims = {};
  try {
    claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    // Not every token can be read here.
  }
  const late = claims.exp < now;
  if (late || claims.nbf > now || claims.iat > now + 60) {
    const when = late ? `has expired, on ${new Date(claims.exp * 1000)}` : "is not valid yet";
    return found("token_expired", `By this device's clock (${new Date()}) the token ${when}. Get a new one, or set the clock right.`);
  }
  return found("token_refused", "The server does not accept the token, so the connection is anonymous. Was it made for this server, and not changed since?");
}

function found(code, message) {
  return { code, message };
}
