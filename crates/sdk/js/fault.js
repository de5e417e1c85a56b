// Errors with a word for programs.

export function coded(message, code, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}

export function missing() {
  return coded("xano-realtime needs WebAssembly, which is switched off here.", "no_webassembly");
}

export function refused(cause) {
  return coded(
    "The page's Content-Security-Policy does not let xano-realtime run WebAssembly: " +
      "add 'wasm-unsafe-eval' to its script-src directive.",
    "csp_blocks_wasm",
    cause,
  );
}
