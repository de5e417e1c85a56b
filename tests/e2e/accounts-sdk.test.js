import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as ours from "../../dist/index.js";
import { launchBrowser, openTab } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { Recorder } from "./support/recorder.js";
import { Server } from "./support/server.js";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const theirs = createRequire(import.meta.url)("@xano/js-sdk");

/** An account's story with one SDK: what the application sees. Runs in Node.js and in pages. */
async function account(sdk, origin, email) {
  const xano = new sdk.XanoClient({ apiGroupBaseUrl: `${origin}/api:main`, storage: new sdk.XanoObjectStorage() });
  const see = (answer) => [answer.getStatusCode(), answer.getBody(), answer.getHeaders()["content-type"]];
  const told = (promise) => promise.then(see, (error) => [error.message, ...see(error.getResponse())]);
  const wanda = { name: "Wanda", email, password: "scarlet witch" };
  const [status, { authToken }] = await told(xano.post("/auth/signup", wanda));
  const nobody = await told(xano.get("/auth/me"));
  const login = await told(xano.post("/auth/login", wanda));
  const me = await told(xano.setAuthToken(login[1].authToken).get("/auth/me"));
  const seen = [
    [status, typeof authToken, xano.hasAuthToken()],
    nobody,
    [me[0], me[1].name, me[1].email === email, Object.keys(me[1])],
    await told(xano.post("/auth/login", { email, password: "somebody else's" })),
    await told(xano.post("/auth/signup", wanda)),
    await told(xano.post("/auth/signup", { ...wanda, password: "short" })),
    await told(xano.post("/auth/nowhere", {})),
  ];
  return { seen, authToken };
}

describe("accounts on the real server", () => {
  let server;
  let browser;
  let elsewhere;

  before(async () => {
    elsewhere = await Recorder.start();
    server = await Server.start({ options: ["--auth-attempts", "0"] });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
    await elsewhere?.stop();
  });

  /** A page of another origin than the server's. */
  const openPage = async (t, script) => {
    const page = await openTab(browser, `${elsewhere.origin}/page`);
    t.after(() => page.context().close());
    await page.addScriptTag({ path: root(script) });
    return page;
  };
  const inPage = (page, email) => page.evaluate(`(${account})(globalThis, ${JSON.stringify(server.origin)}, ${JSON.stringify(email)})`);

  test("sign up, log in and be refused as with the old SDK, in Node.js", async () => {
    const [first, second] = [await account(theirs, server.origin, "t@node.io"), await account(ours, server.origin, "o@node.io")];
    assert.deepEqual(second.seen, first.seen);
    assert.deepEqual(second.seen[0], [200, "string", true]);
    assert.equal(second.seen[2][1], "Wanda");
    assert.equal(second.seen[3][0], "There was an error with your request");
  });

  test("sign up, log in and be refused as with the old SDK, in a page of another origin", async (t) => {
    const old = await openPage(t, "node_modules/@xano/js-sdk/dist/xano.min.js");
    const page = await openPage(t, "dist/xano.min.js");
    const [first, second] = [await inPage(old, "t@page.io"), await inPage(page, "o@page.io")];
    assert.deepEqual(second.seen, first.seen);
    assert.deepEqual(second.seen[0], [200, "string", true]);
  });

  test("the token of a log-in opens what is for members only", async (t) => {
    const page = await openPage(t, "dist/xano.min.js");
    const { authToken } = await inPage(page, "hq@page.io");
    await page.evaluate(([origin, hash, token]) => {
      globalThis.heard = [];
      const config = { instanceBaseUrl: origin, realtimeConnectionCanonical: hash };
      const channel = new XanoClient(config).setRealtimeAuthToken(token).channel("marvel-hq");
      channel.on((action) => heard.push(action), (error) => heard.push(error));
    }, [server.origin, server.hash, authToken]);
    await waitFor(() => page.evaluate(`heard.length > 1`), () => "the server answers");
    const [, join] = await page.evaluate(`heard`);
    assert.equal(join.action, "join", JSON.stringify(join));
    assert.equal(join.client.permissions.dbo_id, 1);
    assert.deepEqual(join.client.extras, { name: "Wanda" });
  });
});
