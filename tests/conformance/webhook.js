import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

/** A webhook whose answers a transcript gives, one question after the other. */
export class Webhook {
  #server;
  /** What was asked and was not read yet. */
  #asked = [];
  #wake = () => {};
  /** Who waits for the answer to a question that was read. */
  #waiting = [];

  static async start() {
    const webhook = new Webhook();
    webhook.#server = createServer(async (request, response) => {
      const text = Buffer.concat(await request.toArray()).toString();
      webhook.#asked.push({ text, response });
      webhook.#wake();
    });
    await once(webhook.#server.listen(0, "127.0.0.1"), "listening");
    return webhook;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  /** The next question, parsed. */
  async next(line) {
    if (this.#asked.length === 0) {
      await new Promise((resolve, reject) => {
        const patience = setTimeout(() => reject(new Error(`no question came where this was expected: ${line}`)), 10_000);
        this.#wake = () => resolve(clearTimeout(patience));
      });
    }
    const { text, response } = this.#asked.shift();
    this.#waiting.push(response);
    return JSON.parse(text);
  }

  /** Answers the oldest question that was read: with `text`, or with no answer at all if that is undefined. */
  answer(text, status = 200) {
    const response = this.#waiting.shift();
    assert.ok(response, "there is no question to answer");
    if (text === undefined) response.destroy();
    else response.writeHead(status).end(text);
  }

  hasReadAll(name) {
    assert.deepEqual(this.#asked.map(({ text }) => text), [], `${name} was asked more than the transcript says`);
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
