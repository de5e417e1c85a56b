// For pages that load one script: the same names as in the module, as globals.

import * as exported from "./index.js";

Object.assign(globalThis, exported);
