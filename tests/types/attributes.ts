// What a script of one's own can do beside xano-attributes.min.js.

import type { XanoClient, XanoRealtimeStatus } from "xano-realtime";
import type {} from "xano-realtime/xano-attributes.min.js";

const client: XanoClient | null = XanoAttributes.client;
export const status: XanoRealtimeStatus | undefined = client?.status;
XanoAttributes.scan();
globalThis.XanoAttributes.client?.realtimeReconnect();

// @ts-expect-error there may be none yet
XanoAttributes.client.destroy();
// @ts-expect-error it is the script's
XanoAttributes.client = null;
// @ts-expect-error there is nothing to say
XanoAttributes.scan(document);
