/** The page's sections in order, with what belongs into each. A name ends in `*` where what begins so does. */
export const SECTIONS = {
  "Clients and channels": [
    "XanoClient",
    "XanoNodeClient",
    "XanoClientConfig",
    "XanoTokenProvider",
    "XanoRealtimeChannel",
    "XanoRealtimeChannelOptions",
    "XanoRealtimeClient",
    "XanoRealtimeStatus",
    "XanoListenerOptions",
    "XanoRealtimeActionOptions",
    "XanoRealtimeSendOptions",
    "XanoRealtimeReceipt",
    "XanoRealtimeHistoryRequest",
    "XanoRealtimeHistoryPage",
  ],
  "Errors and their codes": [
    "XanoRealtimeError",
    "XanoRealtimeErrorPayload",
    "XanoRealtimeFailure",
    "XanoRealtimeFinding",
    "XanoRequestError",
    "XanoServerErrorCode",
    "XanoRefusalCode",
    "XanoSetupErrorCode",
    "XanoRequestErrorCode",
    "XanoFindingCode",
  ],
  "What a channel tells": ["XanoRealtimeActions", "XanoRealtimeAction", "XanoRealtime*", "ERealtime*"],
  Requests: ["XanoResponse", "XanoRequest*", "XanoFile*", "XanoEventStream", "XanoStreamingCallback", "XanoFormData", "XanoContentType"],
  Storages: ["XanoBaseStorage", "Xano*Storage", "XanoStorageKeys"],
  React: ["XanoProvider", "XanoProviderProps", "use*", "Use*", "XanoChannel*"],
};

/** The place of a name: its section, and where in it; nothing where no section has it. */
export function place(name) {
  for (const exact of [true, false]) {
    for (const [section, patterns] of Object.entries(SECTIONS)) {
      const index = patterns.findIndex((pattern) => (exact ? pattern === name : matches(pattern, name)));
      if (index >= 0) return { section, index };
    }
  }
  return undefined;
}

function matches(pattern, name) {
  const [begin, end] = pattern.split("*");
  return end !== undefined && name.startsWith(begin) && name.endsWith(end);
}
