// What an SDK costs a page: this one and @xano/js-sdk in turn, in a real Chromium, on one server.
//
// usage: node sdk.js [--rounds N] [--messages N] [--json FILE]
//
// XANO_SERVER_BIN names a release build of the server, CHROMIUM the browser, XANO_TEST_CERT and
// XANO_TEST_KEY a certificate: @xano/js-sdk speaks to wss on port 443 only. Times on a shared machine
// drift, so the ratios are those within each round.

import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import WebSocket from "ws";

import { launchBrowser } from "../../../tests/e2e/support/browser.js";
import { HOST } from "../../../tests/e2e/support/old-sdk.js";
import { Server } from "../../../tests/e2e/support/server.js";

const CHANNEL = "marvel-chat-room";
/** How long a window may take to come to rest, and how long it is looked at, in milliseconds. */
const PATIENCE = 10_000;
const LOOK = 200;
/** What it may use of a processor then. */
const AT_REST = 0.05;
/** How many messages may be on their way to the page. */
const UNDER_WAY = 1_000;
const SUBJECTS = [
  { name: "xano-realtime", script: new URL("../../../dist/xano.min.js", import.meta.url) },
  { name: "@xano/js-sdk", script: new URL(import.meta.resolve("@xano/js-sdk/dist/xano.min.js")) },
];
const FIGURES = {
  start: { title: "script start to connected", unit: "ms", digits: 1 },
  startKnown: { title: "the same with a token", unit: "ms", digits: 1 },
  rate: { title: "messages handled", unit: "1/s", digits: 0 },
  cpu: { title: "main thread per message", unit: "µs", digits: 1 },
  heap: { title: "JavaScript heap after them", unit: "KB", digits: 0 },
  memory: { title: "memory of the tab after them", unit: "MB", digits: 1 },
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    messages: { type: "string", default: "100000" },
    json: { type: "string" },
  },
});
const rounds = count("rounds");
const messages = count("messages");
const [certificate, key] = [process.env.XANO_TEST_CERT, process.env.XANO_TEST_KEY];
const server = await Server.start({ options: ["--tls-cert", certificate, "--tls-key", key] });
const token = await signUp();
const browser = await launchBrowser(`--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}`, "--ignore-certificate-errors");
try {
  const taken = SUBJECTS.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const turn of SUBJECTS.keys()) {
      // Who begins changes, as the first of a round may find the machine another than the second.
      const index = (turn + round) % SUBJECTS.length;
      process.stderr.write(`\rround ${round + 1} of ${rounds}, ${SUBJECTS[index].name.padEnd(20)}`);
      const start = await measureStart(SUBJECTS[index], null);
      const startKnown = await measureStart(SUBJECTS[index], token);
      taken[index].push({ start, startKnown, ...(await measureMessages(SUBJECTS[index])) });
    }
  }
  process.stderr.write(`\r${" ".repeat(60)}\r`);
  await report(taken);
} finally {
  await browser.close();
  await server.dispose();
}

function count(name) {
  const number = Number(options[name]);
  if (Number.isSafeInteger(number) && number > 0) return number;
  console.error(`--${name} is a whole number above 0, not ${options[name]}`);
  process.exit(2);
}

/** A page of its own process with the SDK in it, as text: loading it is not what is measured. */
async function open(subject) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`https://${HOST}/healthz`);
  await rest();
  const script = await readFile(fileURLToPath(subject.script), "utf8");
  return { context, page, script };
}

/** A new window has pages of its own to load, beside which everything takes about half as long again. */
async function rest() {
  const devtools = await browser.newBrowserCDPSession();
  const used = async () => {
    const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  };
  const end = Date.now() + PATIENCE;
  for (let before = await used(), now; Date.now() < end; before = now) {
    await sleep(LOOK);
    now = await used();
    if (now - before < AT_REST * (LOOK / 1_000)) break;
  }
  await devtools.detach();
}

/** The token of somebody who may do what everybody may. */
async function signUp() {
  const body = JSON.stringify({ name: "Thor", email: "thor@example.com", password: "Mjolnir-is-mine" });
  const asking = request(`https://127.0.0.1:${server.port}/api:main/auth/signup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    rejectUnauthorized: false,
  });
  asking.end(body);
  const [response] = await once(asking, "response");
  return JSON.parse((await response.setEncoding("utf8").toArray()).join("")).authToken;
}

async function measureStart(subject, token) {
  const { context, page, script } = await open(subject);
  const start = await page.evaluate(
    async ([script, hash, origin, channel, token]) => {
      const element = document.createElement("script");
      element.textContent = script;
      const begun = performance.now();
      document.head.append(element);
      const client = new XanoClient({ instanceBaseUrl: origin, realtimeConnectionCanonical: hash, realtimeAuthToken: token });
      const room = client.channel(channel);
      await new Promise((resolve) => {
        room.on((action) => action.action === "connection_status" && action.payload.status === "connected" && resolve());
      });
      return performance.now() - begun;
    },
    [script, server.hash, `https://${HOST}/`, CHANNEL, token],
  );
  await context.close();
  return start;
}

async function measureMessages(subject) {
  const { context, page, script } = await open(subject);
  await page.addScriptTag({ content: script });
  const progress = { handled: 0, wake: () => {} };
  await page.exposeBinding("progress", (_, handled) => {
    progress.handled = handled;
    progress.wake();
  });
  await page.evaluate(
    async ([hash, origin, channel, every, last]) => {
      const client = new XanoClient({ instanceBaseUrl: origin, realtimeConnectionCanonical: hash });
      window.handled = 0;
      window.characters = 0;
      const room = client.channel(channel);
      await new Promise((resolve) => {
        room.on((action) => {
          if (action.action === "join") resolve();
          if (action.action !== "message") return;
          window.begun ??= performance.now();
          window.characters += action.payload.text.length;
          window.handled += 1;
          window.ended = performance.now();
          if (window.handled % every === 0 || window.handled === last) progress(window.handled);
        });
      });
    },
    [server.hash, `https://${HOST}/`, CHANNEL, UNDER_WAY / 2, messages],
  );
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  const before = await metrics(devtools);
  await publish(progress);
  const { seconds, handled } = await page.evaluate(() => ({ seconds: (window.ended - window.begun) / 1_000, handled: window.handled }));
  if (handled !== messages) throw new Error(`${subject.name} handled ${handled} of ${messages} messages`);
  const after = await metrics(devtools);
  await devtools.send("HeapProfiler.collectGarbage");
  const heap = (await metrics(devtools)).JSHeapUsedSize / 1_000;
  const memory = await tabMemory(devtools);
  await context.close();
  const cpu = ((after.TaskDuration - before.TaskDuration) * 1e6) / messages;
  return { rate: messages / seconds, cpu, heap, memory };
}

/** Sends all messages, never more ahead of the page than may be under way. */
async function publish(progress) {
  const socket = new WebSocket(`wss://127.0.0.1:${server.port}/rt/${server.hash}`, { rejectUnauthorized: false });
  const frame = (action, payload) => JSON.stringify({ action, options: { channel: CHANNEL }, payload });
  await once(socket, "open");
  socket.send(frame("join", { history: false, presence: false }));
  // The first answer is the one to the join.
  await once(socket, "message");
  const text = "Avengers, assemble! ".repeat(5);
  for (let sent = 0; sent < messages; ) {
    const end = Math.min(messages, progress.handled + UNDER_WAY);
    for (; sent < end; sent += 1) socket.send(frame("message", { author: "Thor", number: sent, text }));
    const needed = Math.min(messages, sent - UNDER_WAY / 2);
    while (progress.handled < needed) await new Promise((resolve) => (progress.wake = resolve));
  }
  while (progress.handled < messages) await new Promise((resolve) => (progress.wake = resolve));
  socket.close();
}

async function metrics(devtools) {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

/** What the tab's process alone holds, in MB. */
async function tabMemory(devtools) {
  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  let largest = 0;
  for (const { type, id } of processInfo) {
    if (type !== "renderer") continue;
    const status = await readFile(`/proc/${id}/smaps_rollup`, "utf8").catch(() => "");
    const kilobytes = [...status.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, [, size]) => sum + Number(size), 0);
    largest = Math.max(largest, kilobytes / 1_000);
  }
  return largest;
}

async function report(taken) {
  const names = SUBJECTS.map(({ name }) => name);
  console.log(`| median of ${rounds} rounds, ${messages.toLocaleString("en")} messages | ${names.join(" | ")} | ratio |`);
  console.log(`|---|${"---|".repeat(names.length + 1)}`);
  const figures = {};
  for (const [key, { title, unit, digits }] of Object.entries(FIGURES)) {
    const columns = taken.map((rounds) => rounds.map((round) => round[key]));
    const ratios = columns[0].map((value, round) => value / columns[1][round]);
    figures[key] = { unit, taken: Object.fromEntries(names.map((name, index) => [name, columns[index]])), ratio: middle(ratios) };
    const cells = columns.map((column) => spread(column, digits));
    console.log(`| ${title}, ${unit} | ${cells.join(" | ")} | ${middle(ratios).toFixed(2)} |`);
  }
  if (options.json) {
    const machine = `${cpus().length} × ${cpus()[0].model}`;
    await writeFile(options.json, `${JSON.stringify({ machine, browser: browser.version(), rounds, messages, figures }, null, 1)}\n`);
  }
}

function spread(values, digits) {
  const text = (value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(middle(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`;
}

function middle(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
