// The same where bundlers ask for another name: for Vercel's edge, and Next.js's.

import { initSync } from "./core.js";
import module from "./core.wasm?module";

export function load() {
  // Next.js gives a module of another realm, whose class is not the one that is known here.
  initSync({ module: Object.setPrototypeOf(module, WebAssembly.Module.prototype) });
}
