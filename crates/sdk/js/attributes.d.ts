import type { XanoClient } from "./index.js";

/** What xano-attributes.min.js leaves on a page for scripts of its own. */
export interface XanoAttributes {
  /** The page's client; null until the page is there, and where the settings are wrong. */
  readonly client: XanoClient | null;
  /** Looks at the page again: needed only for parts that come into a channel's element later. */
  scan(): void;
}

declare global {
  /** There once the script has run: before the page is there with `defer`, at the latest when it is loaded. */
  var XanoAttributes: XanoAttributes;
}
