export * from "./index.js";

/** What the core is made of. An answer with the type `application/wasm` is compiled while it arrives. */
export type XanoCore = Response | ArrayBuffer | ArrayBufferView | (WebAssembly.Module & object);

/**
 * Compiles and starts the core; to be awaited before a channel is used or an answer is streamed, which
 * throws "not_initialized" otherwise. It is started once, however often this is called, and after a failure
 * it can be called again.
 *
 * @param core `core.wasm` of the same package: `init(fetch(url))`.
 * @throws An `Error` with a `code`: "core_unavailable" (it could not be fetched, or the answer's status is
 * not a good one), "wrong_core" (it is something else, or from another build), "csp_blocks_wasm",
 * "no_webassembly".
 */
export declare function init(core: XanoCore | Promise<XanoCore>): Promise<void>;
