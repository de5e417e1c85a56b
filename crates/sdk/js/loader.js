// Gets the WebAssembly part running, at the first use and not before.

import { initSync } from "./core.js";
import bytes from "./core.wasm";

let loaded = false;

/**
 * Compiles and starts the core, the first time it is called. It does so synchronously, which
 * browsers allow up to 8 MB, so that applications have nothing to wait for.
 */
export function load() {
  if (loaded) return;
  if (typeof WebAssembly === "undefined") {
    throw coded("xano-realtime needs WebAssembly, which is switched off here.", "no_webassembly");
  }
  initSync({ module: compile() });
  loaded = true;
}

function compile() {
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    // The bytes are part of this file, so what is wrong is not the bytes.
    if (cause instanceof WebAssembly.CompileError || cause instanceof EvalError) {
      throw coded(
        "The page's Content-Security-Policy does not let xano-realtime run WebAssembly: " +
          "add 'wasm-unsafe-eval' to its script-src directive.",
        "csp_blocks_wasm",
        cause,
      );
    }
    throw cause;
  }
}

/** An error with a word for programs. */
export function coded(message, code, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}
