// For Cloudflare's workers, which compile no bytes: what they import is compiled already.

import { initSync } from "./core.js";
import module from "./core.wasm";

export function load() {
  initSync({ module });
}
