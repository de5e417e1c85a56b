// The package without the WebAssembly part, for those who stream it.

export * from "./index.js";
export { init } from "loader";
