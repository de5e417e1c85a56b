import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

import { openTab } from "./browser.js";
import { waitFor } from "./chat.js";

const SDK = fileURLToPath(new URL("../../../dist/xano.min.js", import.meta.url));
export const ROOM = "marvel-chat-room";

/** A page with the SDK, in a channel, and what it has heard there. */
export class Page {
  static async open(browser, server, { origin = server.origin, hash = server.hash, options = {}, open = openTab } = {}) {
    const page = new Page();
    page.tab = await open(browser, `${server.origin}/healthz`);
    await page.tab.addScriptTag({ path: SDK });
    await page.tab.evaluate(
      ({ origin, hash, options, name }) => {
        window.client = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash });
        window.room = client.channel(name, options);
        window.heard = [];
        window.receipts = [];
        const keep = (action) => heard.push(action);
        room.on(keep, keep);
        window.say = (payload, options) => {
          const at = receipts.push({ state: "pending" }) - 1;
          room.message(payload, options).then(
            (value) => (receipts[at] = { state: "kept", ...value }),
            ({ name, message, code }) => (receipts[at] = { state: "refused", name, message, code }),
          );
        };
      },
      { origin, hash, options, name: ROOM },
    );
    return page;
  }

  evaluate(...args) {
    return this.tab.evaluate(...args);
  }

  heard(action) {
    return this.evaluate((action) => heard.filter((one) => one.action === action), action);
  }

  async payloads(action = "message") {
    return (await this.heard(action)).map(({ payload }) => payload);
  }

  receipts() {
    return this.evaluate(() => receipts);
  }

  async until(action, count = 1) {
    const enough = async () => (await this.heard(action)).length >= count;
    await waitFor(enough, async () => `${action} is heard ${count} times: ${JSON.stringify(await this.evaluate(() => heard)).slice(0, 2_000)}`);
  }

  /** Sends, and waits until the server has it. */
  async say(...payloads) {
    await this.evaluate((payloads) => Promise.all(payloads.map((payload) => room.message(payload))), payloads);
  }

  async close() {
    assert.deepEqual(this.tab.problems, []);
    await this.tab.context().close();
  }
}
