import assert from "node:assert/strict";

export const HQ = "marvel-hq";
export const PASSWORD = "by my hammer";

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

  /** What is on show in a room: what is for everyone, or a private conversation. */
  conversation(channel) {
    return this.room(channel).locator(".conversation:not([hidden])");
  }

  input(channel) {
    return this.conversation(channel).getByTestId("message-input");
  }

  async say(text, channel) {
    await this.input(channel).fill(text);
    await this.input(channel).press("Enter");
  }

  async texts(channel) {
    return this.conversation(channel).getByTestId("message-text").allInnerTexts();
  }

  /** Waits until the room shows exactly these messages. */
  async shows(texts, channel) {
    const same = async () => JSON.stringify(await this.texts(channel)) === JSON.stringify(texts);
    await waitFor(same, async () => `the room shows ${JSON.stringify(texts)}; it shows ${JSON.stringify(await this.texts(channel))}`);
  }

  /** Waits until the server has all that was said here: until then a message is shown, but nowhere else. */
  async delivered(channel) {
    const states = () => this.conversation(channel).getByTestId("message-delivery").allInnerTexts();
    const isDone = async () => (await states()).every((state) => state === "");
    await waitFor(isDone, async () => `everything is delivered; the page says ${await states()}`);
  }

  async own(channel) {
    return this.conversation(channel).locator('[data-testid=message][data-own="true"]').count();
  }

  async peopleHere(count, channel) {
    const text = () => this.room(channel).getByTestId("presence-count").innerText();
    await waitFor(async () => (await text()) === String(count), async () => `${count} people are here; the page says ${await text()}`);
  }

  /** Fills in the dialog that logs in, or, with a name, signs up; does not wait for the answer. */
  async enter({ name, email, password }) {
    await this.page.getByTestId("log-in").click();
    if (name !== undefined) await this.page.getByTestId("login-switch").click();
    await this.submitLogin({ name, email, password });
  }

  async submitLogin({ name, email, password }) {
    const field = (of) => this.page.getByTestId(`login-${of}`);
    if (name !== undefined) await field("name").fill(name);
    await field("email").fill(email);
    await field("password").fill(password);
    await field("submit").click();
  }

  /** Signs up under this name, and waits to be in HQ. */
  async signUp(name, email = `${name.toLowerCase().replace(/\W/g, "")}@example.com`) {
    await this.enter({ name, email, password: PASSWORD });
    await this.inHq();
  }

  async inHq() {
    await this.isHere("(you)", HQ);
  }

  /** The person of this name in the list of a room. */
  chip(name, channel = HQ) {
    return this.room(channel).getByTestId("presence-list").locator("li", { hasText: name });
  }

  async isHere(name, channel = HQ) {
    await this.chip(name, channel).first().waitFor();
  }

  /** Opens the private conversation with somebody. */
  async writeTo(name) {
    await this.chip(name).getByTestId("write-privately").click();
    await waitFor(async () => (await this.room(HQ).getByTestId("thread-name").innerText()).startsWith(name), () => `the conversation with ${name} is open`);
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
