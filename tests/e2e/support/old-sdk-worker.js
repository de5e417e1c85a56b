import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { connect } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

import { WebSocket } from "ws";

import { skipping } from "./clock.js";

// Before anybody has looked at the time.
const { pass, waits } = skipping();
const sdk = await import(workerData.sdk === "ours" ? "../../../dist/index.js" : "@xano/js-sdk");

const ca = readFileSync(workerData.certificate);
const agent = new Agent();
agent.createConnection = ({ host }) =>
  connect({ host: "127.0.0.1", port: workerData.ports[host], servername: "xano.test", ca, ALPNProtocols: ["http/1.1"] });

const me = { Client: sdk.XanoNodeClient, sdk, sent: [], sockets: [], console: [], pass, waits };
globalThis.me = me;
/** Nothing will ever happen here by itself. */
me.isDead = () => waits().length === 0 && me.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED);
for (const level of ["warn", "error"]) console[level] = (...words) => void me.console.push(words.map(String).join(" "));

// @xano/js-sdk brings `ws` and never imports it: in Node it needs a global WebSocket, which Node
// has since version 22. This one also knows where the hosts are.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, new URL(url).hostname in workerData.ports ? { agent } : {});
    me.sockets.push(this);
    // An error event without a listener would end the process; the close event behind it says enough.
    this.on("error", () => {});
  }

  send(text) {
    super.send(text);
    me.sent.push(text);
  }
};

parentPort.on("message", async ({ id, code, argument }) => {
  try {
    parentPort.postMessage({ id, value: await (0, eval)(`(${code})`)(me, argument) });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error) });
  }
});
parentPort.postMessage("ready");
