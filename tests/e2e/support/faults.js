import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { administer, InChromium, InNode } from "./old-sdk.js";
import { Server } from "./server.js";
import { StagedServer } from "./staged-server.js";

/**
 * A fault of @xano/js-sdk 3.0.1, and the proof that ours has not got it: one story, told with both. It
 * gives what was seen; `theirs` shows the fault and `ours` does not. `home` is where the story plays:
 * "node", or "chromium" for a page in a real one.
 */
export function fault(claim, { story, theirs, ours, home = "node" }) {
  assert.notDeepEqual(theirs, ours);
  test(claim, async (t) => {
    for (const [sdk, expected] of Object.entries({ theirs, ours })) {
      const scene = new Scene(t, sdk, home);
      assert.deepEqual(await story(scene), expected, `with ${sdk}`);
      await scene.end();
    }
  });
}

/** What a story is told with. It takes itself away when the test ends. */
class Scene {
  #home;
  #end = [];

  constructor(t, sdk, home) {
    this.sdk = sdk;
    this.#home = home === "node" ? new InNode(sdk) : new InChromium(sdk);
    t.after(() => this.end());
  }

  /** A server that does what it is told. */
  async stage(options) {
    return this.#keep(await StagedServer.start(options), (server) => server.dispose());
  }

  /** The real one, with a channel for everything: "all/…". */
  async server() {
    const { XANO_TEST_CERT: cert, XANO_TEST_KEY: key } = process.env;
    const server = await Server.start({ options: ["--tls-cert", cert, "--tls-key", key] });
    this.#keep(server, (server) => server.dispose());
    const may = { anonymous_clients: true, presence: true, history: 25, client_public_messaging: true, client_private_messaging: true };
    await administer(server, "POST", "/channel", { pattern: "all/*", wildcard: true, ...may });
    return server;
  }

  /** A token for somebody in particular. */
  async token(server, row) {
    const args = ["token", "--table-id", "1", "--row-id", `${row}`, "--data-dir", server.folder];
    return (await promisify(execFile)(process.env.XANO_SERVER_BIN, args)).stdout.trim();
  }

  /** Somebody with the SDK. */
  async open(server, config, hosts) {
    return this.#keep(await this.#home.open(server, config, hosts), (person) => person.end());
  }

  async end() {
    for (const end of this.#end.splice(0).reverse()) await end();
    await this.#home.close();
  }

  #keep(thing, end) {
    this.#end.push(() => end(thing));
    return thing;
  }
}
