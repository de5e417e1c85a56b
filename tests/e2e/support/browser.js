import assert from "node:assert/strict";

import { chromium, firefox } from "playwright-core";

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What Playwright switches off so that no tab is ever slow; people have it on. */
const THRIFT = [
  "--disable-back-forward-cache",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** What Firefox says where Chromium says nothing: that an attempt to connect has failed. */
const NETWORK = /Firefox can’t establish a connection|The connection to \S+ was interrupted/;

/** A real Chromium; `CHROMIUM` names it. */
export async function launchBrowser(...args) {
  return launch({ args: [...QUIET, ...args] });
}

/** The same, with all that it does to tabs that are hidden or left. */
export async function launchThriftyBrowser() {
  return launch({ args: QUIET, ignoreDefaultArgs: THRIFT });
}

/** A real Firefox, as its makers publish it; `FIREFOX` names it. */
export async function launchFirefox() {
  const executablePath = process.env.FIREFOX;
  assert.ok(executablePath, "FIREFOX must name a Firefox browser; `npm test` finds or installs one");
  const browser = await firefox.launch({ executablePath, channel: "moz-firefox" });
  // Playwright would set what a page hears of colours and motion, for which this Firefox has no command yet.
  const session = browser._connection.toImpl(browser)._browserSession;
  const send = session.send.bind(session);
  session.send = async (method, ...rest) => (method === "emulation.setMediaFeaturesOverride" ? undefined : send(method, ...rest));
  return browser;
}

async function launch(options) {
  const executablePath = process.env.CHROMIUM;
  assert.ok(executablePath, "CHROMIUM must name a Chromium browser; `npm test` finds or installs one");
  return chromium.launch({ executablePath, ...options });
}

/** A tab of its own person: nothing is shared with other tabs but the server. */
export async function openTab(browser, url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  return openTabOf(context, url);
}

/** One more tab of the same person: storages are shared. */
export async function openTabOf(context, url) {
  const page = await context.newPage();
  page.problems = [];
  page.lines = [];
  page.on("pageerror", (error) => NETWORK.test(error) || page.problems.push(String(error)));
  page.on("console", (message) => {
    page.lines.push(message.text());
    if (/content security policy/i.test(message.text())) page.problems.push(message.text());
  });
  await page.goto(url);
  return page;
}
