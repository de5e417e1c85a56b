import { after, before } from "node:test";

import { launchBrowser } from "./browser.js";
import { Server } from "./server.js";

/** One browser and one server for all tests of a suite; `take` gets both before the first of them. */
export function withBrowserAndServer(take, launch = launchBrowser) {
  const made = {};
  before(async () => {
    made.browser = await launch();
    made.server = await Server.start();
    take(made);
  });
  after(async () => {
    await made.browser?.close();
    await made.server?.dispose();
  });
}
