// What the page is about: both modules of the package, as one.
export * from "../../crates/sdk/js/index.js";
export * from "../../crates/sdk/js/react.js";
