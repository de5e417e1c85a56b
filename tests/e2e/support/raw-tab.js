import { readFile } from "node:fs/promises";

import { waitFor } from "./chat.js";

/**
 * A tab that Playwright does not look after. For its own tabs it pretends that each is in front and has the
 * focus; this one is hidden, frozen and put into the cache of pages as it would be on somebody's desk.
 */
export class RawTab {
  #session;
  #target;
  #id;
  #asked = 0;
  #answers = new Map();
  problems = [];

  static async open(browser, url) {
    const tab = new RawTab();
    tab.#session = await browser.newBrowserCDPSession();
    tab.#target = (await tab.#session.send("Target.createTarget", { url })).targetId;
    tab.#id = (await tab.#session.send("Target.attachToTarget", { targetId: tab.#target, flatten: false })).sessionId;
    tab.#session.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      const { id, result, error } = JSON.parse(message);
      if (sessionId === tab.#id) tab.#answers.get(id)?.({ result, error });
    });
    await waitFor(async () => tab.evaluate((url) => location.href === url && document.readyState === "complete", url), () => `${url} is there`);
    return tab;
  }

  async evaluate(act, argument) {
    const expression = `(${act})(${JSON.stringify(argument)})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async addScriptTag({ path }) {
    await this.send("Runtime.evaluate", { expression: await readFile(path, "utf8") });
  }

  /** Asks the tab itself, in the browser's own protocol. */
  async send(method, params = {}) {
    const id = (this.#asked += 1);
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    await this.#session.send("Target.sendMessageToTarget", { sessionId: this.#id, message: JSON.stringify({ id, method, params }) });
    const { result, error } = await answer;
    this.#answers.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async toFront() {
    await this.#session.send("Target.activateTarget", { targetId: this.#target });
    await this.#until(() => !document.hidden, "it is in front");
  }

  /** Another tab comes to the front. */
  async hide() {
    await this.#session.send("Target.createTarget", { url: "about:blank" });
    await this.#until(() => document.hidden, "it is hidden");
  }

  async freeze() {
    await this.evaluate(() => document.addEventListener("freeze", () => (window.wasFrozen = true)));
    await this.send("Page.setWebLifecycleState", { state: "frozen" });
    await this.#until(() => window.wasFrozen, "it is frozen");
  }

  async thaw() {
    await this.send("Page.setWebLifecycleState", { state: "active" });
  }

  /** Follows a link, and waits until the next page is there. */
  async leaveFor(url) {
    await this.evaluate((url) => void (location.href = url), url);
    await waitFor(async () => (await this.#here()) === url, () => "the next page is there");
  }

  async goBack() {
    const here = await this.#here();
    await this.evaluate(() => history.back());
    await waitFor(async () => (await this.#here()) !== here, () => "the page before is there");
  }

  async close() {
    await this.#session.send("Target.closeTarget", { targetId: this.#target });
    await this.#session.detach();
  }

  context() {
    return this;
  }

  #here() {
    // While one page makes room for the next nobody may be there to answer.
    return this.evaluate(() => document.readyState === "complete" && location.href).catch(() => null);
  }

  async #until(act, what) {
    await waitFor(() => this.evaluate(act), () => what);
  }
}
