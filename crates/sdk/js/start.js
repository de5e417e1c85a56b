// Starts what decides, for the first use of a client's channels.

import { load } from "loader";
import { Client } from "./core.js";
import { coded } from "./fault.js";

/** A channel of that core, by the options that applications give; what is null counts as not given. */
export function channelOf(core, name, options) {
  const { history, presence, queueOfflineActions, idleTimeout } = options ?? {};
  const idle = typeof idleTimeout === "number" ? idleTimeout : 0;
  return core.channel(name, !!history, !!presence, !!(queueOfflineActions ?? true), idle);
}

/**
 * The core of a client whose connections go to `address`. Its first socket connects while the module is
 * compiled and started, which takes about as long, unless the application is asked for the token.
 */
export function start(address, token, asks) {
  if (!globalThis.WebSocket) throw coded(NO_WEBSOCKET, "no_websocket");
  const open = (asked) => (asked ? new WebSocket(address, asked) : new WebSocket(address));
  let ahead;
  try {
    if (!asks) ahead = open(token);
  } catch {
    // The core's own attempt fails alike, and it tells.
  }
  queueMicrotask(() => {
    // Where the use that it was for has failed. `ws` throws what no listener takes.
    if (ahead) ahead.onerror = () => {};
    ahead?.close();
    ahead = undefined;
  });
  load();
  const connect = (asked) => {
    // Another token may have been set while options were read. None is null there and undefined here.
    if (!ahead || asked != token) return open(asked);
    const socket = ahead;
    ahead = undefined;
    return socket;
  };
  return new Client(connect, token);
}

const NO_WEBSOCKET = "There is no WebSocket here. Node.js before version 22 has none: set globalThis.WebSocket first, to the one of the package `ws` for example.";
