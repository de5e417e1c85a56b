import { once } from "node:events";
import { connect, createServer } from "node:net";

/** The network between a page and the server, which a test can break. */
export class Line {
  #server = createServer((client) => this.#take(client));
  #target;
  #pairs = new Set();
  #cut = false;
  #mute = false;

  /** A line to this server, which may restart on its port. */
  static async to({ port }) {
    const line = new Line();
    line.#target = port;
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** What the server says from now on gets lost, what is said to it arrives. */
  mute() {
    this.#mute = true;
  }

  /** Breaks every connection; until `mend` there is none to be had. */
  cut() {
    this.#cut = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  mend() {
    this.#cut = this.#mute = false;
  }

  dispose() {
    this.cut();
    this.#server.close();
  }

  #take(client) {
    if (this.#cut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, "127.0.0.1");
    const pair = [client, server];
    this.#pairs.add(pair);
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => this.#mute || client.write(bytes));
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
