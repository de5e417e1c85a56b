import assert from "node:assert/strict";

/** What a person sees and does in the Marvel chat page. */
export class Chat {
  constructor(page) {
    this.page = page;
  }

  room(channel = "marvel-chat-room") {
    return this.page.getByTestId(`room-${channel}`);
  }

  async connected() {
    await this.statusSays(/^Connected/);
  }

  async statusSays(words) {
    await waitFor(async () => words.test(await this.page.getByTestId("status").innerText()), async () => {
      return `the status says ${words}; it says: ${await this.page.getByTestId("status").innerText()}`;
    });
  }

  async say(text, channel) {
    await this.room(channel).getByTestId("message-input").fill(text);
    await this.room(channel).getByTestId("message-input").press("Enter");
  }

  async texts(channel) {
    return this.room(channel).getByTestId("message-text").allInnerTexts();
  }

  /** Waits until the room shows exactly these messages. */
  async shows(texts, channel) {
    const same = async () => JSON.stringify(await this.texts(channel)) === JSON.stringify(texts);
    await waitFor(same, async () => `the room shows ${JSON.stringify(texts)}; it shows ${JSON.stringify(await this.texts(channel))}`);
  }

  /** Waits until the server has all that was said here: until then a message is shown, but nowhere else. */
  async delivered(channel) {
    const states = () => this.room(channel).getByTestId("message-delivery").allInnerTexts();
    const isDone = async () => (await states()).every((state) => state === "");
    await waitFor(isDone, async () => `everything is delivered; the page says ${await states()}`);
  }

  async own(channel) {
    return this.room(channel).locator('[data-testid=message][data-own="true"]').count();
  }

  async peopleHere(count, channel) {
    const text = () => this.room(channel).getByTestId("presence-count").innerText();
    await waitFor(async () => (await text()) === String(count), async () => `${count} people are here; the page says ${await text()}`);
  }

  noProblems() {
    assert.deepEqual(this.page.problems, []);
  }
}

/** Waits for a condition, not for a time; says what it waited for when it does not come. */
export async function waitFor(condition, describe, patience = 20_000) {
  const end = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`waited in vain until ${await describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
