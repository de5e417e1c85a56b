import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

import { openTab } from "./browser.js";
import { waitFor } from "./chat.js";

/**
 * What webflow.js does with forms, and then some: it takes each one that is sent before the page's own
 * listeners hear of it, sends the fields to Webflow, and shows the success message in the form's place.
 */
export const WEBFLOW_FORMS = `<script>
  window.takenByWebflow = [];
  for (const capture of [true, false]) document.addEventListener("submit", (event) => {
    const block = event.target.closest(".w-form");
    if (!block) return;
    event.preventDefault();
    takenByWebflow.push(Object.fromEntries(new FormData(event.target)));
    event.target.style.display = "none";
    block.querySelector(".w-form-done").style.display = "block";
  }, capture);
</script>`;

/** The two tags of the guide, for this server. */
export const tags = ({ origin, hash }, more = "") =>
  `<script src="${origin}/sdk/xano.min.js" defer></script>
   <script src="${origin}/sdk/xano-attributes.min.js" data-xano-hash="${hash}" ${more} defer></script>`;

/** Where pages are published that somebody made: another origin than the server's, as Webflow's is. */
export class Site {
  #pages = new Map();
  #server = createServer((request, response) => {
    const html = this.#pages.get(new URL(request.url, this.origin).pathname);
    response.writeHead(html ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end(html);
  });

  static async start() {
    const site = new Site();
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The address of a page. */
  publish(html) {
    const path = `/page-${this.#pages.size}`;
    this.#pages.set(path, html);
    return this.origin + path;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A page that somebody made with attributes, as it is seen in a browser. */
export class Made {
  constructor(page) {
    this.page = page;
  }

  /** Opens a page with this in it. */
  static async open(browser, site, body, options) {
    const html = `<!doctype html><html lang="en"><head><title>Made</title></head><body>${body}</body></html>`;
    return Made.visit(browser, site.publish(html), options);
  }

  /** Opens a page that is there. */
  static async visit(browser, url, options) {
    return new Made(await openTab(browser, url, options));
  }

  /** The texts of all elements that fit and are on show. */
  async texts(selector) {
    return this.page.$$eval(selector, (all) => all.filter((one) => one.checkVisibility()).map((one) => one.innerText.trim()));
  }

  /** Waits until exactly these are on show. */
  async shows(selector, texts) {
    const same = async () => JSON.stringify(await this.texts(selector)) === JSON.stringify(texts);
    await waitFor(same, async () => `${selector} shows ${JSON.stringify(texts)}; it shows ${JSON.stringify(await this.texts(selector))}; ${this.page.lines}`);
  }

  async connected() {
    const selector = '[data-xano-channel][data-xano-state="connected"]';
    await this.page.waitForSelector(selector, { state: "attached" }).catch(() => assert.fail(`not connected: ${this.page.lines}`));
  }

  async say(text, { name, enter = false } = {}) {
    if (name) await this.page.fill("[name=Name]", name);
    await this.page.fill("[name=Message]", text);
    await (enter ? this.page.press("[name=Message]", "Enter") : this.page.click("[type=submit]"));
  }

  /** What the console was told about attributes. */
  complaints() {
    return this.page.lines.filter((line) => line.startsWith("xano-attributes:"));
  }

  async complains(words) {
    await waitFor(() => this.complaints().some((line) => words.test(line)), () => `the console says ${words}: ${this.page.lines}`);
  }

  noProblems() {
    assert.deepEqual(this.page.problems, []);
    assert.deepEqual(this.complaints(), []);
  }

  async close() {
    await this.page.context().close();
  }
}
