import { once } from "node:events";
import { connect, createServer } from "node:net";

/** The network between a page and the server, which a test can break. */
export class Line {
  #server = createServer((client) => this.#take(client));
  #target;
  #pairs = new Set();
  #cut = false;
  /** What new connections get to read instead of the server. */
  #instead = null;

  /** A line to this server, which may restart on its port. */
  static async to({ port }) {
    const line = new Line();
    line.#target = port;
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  /** How many have connected so far. */
  taken = 0;

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** What the server says over the connections of now gets lost for ever, what is said to it arrives. */
  mute() {
    for (const pair of this.#pairs) pair.mute = true;
  }

  /** Breaks every connection; until `mend` there is none to be had. */
  cut() {
    this.#cut = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Breaks every connection; new ones are taken, and never answered. */
  jam() {
    this.answer("");
  }

  /** Breaks every connection; new ones are answered with this, whatever they ask for. */
  answer(text) {
    this.cut();
    this.#cut = false;
    this.#instead = text;
  }

  mend() {
    this.#cut = false;
    this.#instead = null;
  }

  dispose() {
    this.cut();
    this.#server.close();
  }

  #take(client) {
    this.taken += 1;
    if (this.#cut) {
      client.destroy();
      return;
    }
    if (this.#instead !== null) {
      this.#pairs.add([client]);
      client.on("error", () => {});
      client.once("data", () => this.#instead && client.end(this.#instead));
      return;
    }
    const server = connect(this.#target, "127.0.0.1");
    const pair = [client, server];
    this.#pairs.add(pair);
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => pair.mute || client.write(bytes));
    for (const socket of pair) {
      // A broken line is what the tests are about.
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  }
}
