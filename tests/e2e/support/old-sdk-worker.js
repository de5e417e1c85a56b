import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { connect } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

import sdk from "@xano/js-sdk";
import { WebSocket } from "ws";

const ca = readFileSync(workerData.certificate);
const agent = new Agent();
agent.createConnection = (options) =>
  connect({ ...options, host: "127.0.0.1", port: workerData.port, servername: "xano.test", ca });

globalThis.me = { Client: sdk.XanoNodeClient, sdk, sent: [], sockets: [] };

// @xano/js-sdk brings `ws` and never imports it: in Node it needs a global WebSocket, which Node
// has since version 22. This one also knows where the host is.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { agent });
    globalThis.me.sockets.push(this);
    // An error event without a listener would end the process; the close event behind it says enough.
    this.on("error", () => {});
  }

  send(text) {
    globalThis.me.sent.push(text);
    super.send(text);
  }
};

parentPort.on("message", async ({ id, code, argument }) => {
  try {
    parentPort.postMessage({ id, value: await (0, eval)(`(${code})`)(globalThis.me, argument) });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error) });
  }
});
parentPort.postMessage("ready");
