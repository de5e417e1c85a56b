import { openTab, openTabOf } from "./browser.js";
import { Chat, HQ } from "./chat.js";
import { Line } from "./line.js";
import { Server } from "./server.js";

/** One test's server, and the people who are at it; all of it goes when the test is over. */
export class Stage {
  #t;
  #browser;

  static async open(t, browser, options = []) {
    const stage = new Stage();
    stage.#t = t;
    stage.#browser = browser;
    stage.server = await Stage.#server(t, options);
    return stage;
  }

  /** One more server. */
  static #server = async (t, options) => {
    const server = await Server.start({ options });
    t.after(() => server.dispose());
    return server;
  };

  anotherServer() {
    return Stage.#server(this.#t, []);
  }

  /** A line to the server that the test can break. */
  async line() {
    const line = await Line.to(this.server);
    this.#t.after(() => line.dispose());
    return line;
  }

  /** The page's address, with where the server is said to be. */
  addressOf(origin = this.server.origin, { page = `${this.server.origin}/`, hash = this.server.hash } = {}) {
    return `${page}?${new URLSearchParams({ base: origin, hash })}`;
  }

  /** Somebody who opens the chat. */
  async person(url = `${this.server.origin}/`, options = {}) {
    const page = await openTab(this.#browser, url, options);
    this.#t.after(() => page.context().close());
    const chat = new Chat(page);
    await chat.connected();
    return chat;
  }

  /** One more tab of somebody. */
  async anotherTab(chat, url = `${this.server.origin}/`) {
    const tab = new Chat(await openTabOf(chat.page.context(), url));
    await tab.connected();
    return tab;
  }

  /** Members who all see each other in HQ. */
  async members(...names) {
    const chats = [];
    for (const [index, name] of names.entries()) {
      chats.push(await this.person());
      await chats[index].signUp(name, `member${index}@example.com`);
    }
    for (const chat of chats) await chat.peopleHere(names.length, HQ);
    return chats;
  }
}
