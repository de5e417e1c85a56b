// Gets the WebAssembly part running, at the first use and not before. What the sources import as
// "loader" is this file, or the one beside it that the bundle is made with.

import { initSync } from "./core.js";
import bytes from "./core.wasm";
import { missing, refused } from "./fault.js";

let core;

/**
 * Compiles and starts the core, the first time it is called. It does so synchronously, which
 * browsers allow up to 8 MB, so that applications have nothing to wait for.
 */
export function load() {
  core ??= initSync({ module: compile() });
}

function compile() {
  if (typeof WebAssembly === "undefined") throw missing();
  try {
    return new WebAssembly.Module(bytes());
  } catch (cause) {
    // The bytes are part of this file, so what is wrong is not the bytes.
    if (cause instanceof WebAssembly.CompileError || cause instanceof EvalError) throw refused(cause);
    throw cause;
  }
}
