// For applications that bring core.wasm themselves, and await it before a channel is used.

import { initSync } from "./core.js";
import { coded, missing, refused } from "./fault.js";

let core;
/** What `init` answered while it is under way and when it has succeeded. */
let initialising;

export function load() {
  if (core) return;
  throw coded("Await init() of xano-realtime/slim before a channel is used, or an answer is streamed.", "not_initialized");
}

/** Compiles and starts the core, once; after a failure it can be called again. */
export function init(source) {
  initialising ??= start(source).catch((error) => {
    initialising = undefined;
    throw error;
  });
  return initialising;
}

async function start(source) {
  if (typeof WebAssembly === "undefined") throw missing();
  const module = await compile(await fetched(source));
  const [build] = WebAssembly.Module.customSections(module, "xano-build");
  // Its imports are numbered, so that another build's might fit and do something else.
  if (!build || new TextDecoder().decode(build) !== CORE_BUILD) {
    throw coded("This core.wasm is not the one of this build of xano-realtime: take both from one package.", "wrong_core");
  }
  core = initSync({ module });
}

/** A module, or its bytes, or a good answer that brings them. */
async function fetched(source) {
  try {
    source = await source;
  } catch (cause) {
    throw coded(`core.wasm cannot be fetched: ${cause?.message ?? cause}`, "core_unavailable", cause);
  }
  if (kind(source) === "Response") {
    if (!source.ok) throw coded(`core.wasm cannot be fetched: ${source.url} answers with status ${source.status}.`, "core_unavailable");
    // Only what says that it is WebAssembly, and nothing besides, may be compiled while it arrives.
    const isTyped = source.headers.get("content-type") === "application/wasm";
    return isTyped && WebAssembly.compileStreaming ? source : source.arrayBuffer();
  }
  if (["WebAssembly.Module", "ArrayBuffer"].includes(kind(source)) || ArrayBuffer.isView(source)) return source;
  throw coded("init() takes what fetch() answers, bytes, or a WebAssembly.Module.", "wrong_core");
}

async function compile(source) {
  // One of another realm has a class that is not the one that is known here.
  if (kind(source) === "WebAssembly.Module") return Object.setPrototypeOf(source, WebAssembly.Module.prototype);
  try {
    return await (kind(source) === "Response" ? WebAssembly.compileStreaming(source) : WebAssembly.compile(source));
  } catch (cause) {
    if (!isAllowed()) throw refused(cause);
    throw coded(`What init() was given is not core.wasm: ${cause.message}`, "wrong_core", cause);
  }
}

/** The name of its class, in whatever realm that is. */
function kind(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Whether the smallest module there is can be compiled here. */
function isAllowed() {
  try {
    return !!new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    return false;
  }
}
