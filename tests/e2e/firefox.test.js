import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchFirefox, openTab } from "./support/browser.js";
import { Chat, waitFor } from "./support/chat.js";
import { Made } from "./support/made.js";
import { Page } from "./support/page.js";
import { ROOM_JSX, ReactPage, joinFromNode } from "./support/react.js";
import { Server } from "./support/server.js";

const SDK = fileURLToPath(new URL("../../dist/xano.min.js", import.meta.url));

/**
 * All else is tried in Chromium; this is to hear of it when another browser does not go along. The tests
 * run at one time, as most of it is waiting.
 */
describe("in Firefox", { concurrency: true }, () => {
  let browser;

  before(async () => {
    browser = await launchFirefox();
  });
  after(() => browser?.close());

  const start = async (t) => {
    const server = await Server.start();
    t.after(() => server.dispose());
    return server;
  };

  /** The address of a server of another kind. */
  const listen = async (t, answer) => {
    const other = createServer(answer).listen(0, "127.0.0.1");
    await once(other, "listening");
    t.after(() => {
      other.close();
      other.closeAllConnections();
    });
    return `http://127.0.0.1:${other.address().port}/`;
  };

  test("two tabs of the chat talk, also after the server was restarted", async (t) => {
    const server = await start(t);
    const open = async () => {
      const chat = new Chat(await openTab(browser, `${server.origin}/`));
      t.after(() => chat.page.context().close());
      await chat.connected();
      return chat;
    };
    const [thor, loki] = await Promise.all([open(), open()]);
    await loki.peopleHere(2);
    await thor.say("Hello from Thor");
    await loki.shows(["Hello from Thor"]);
    await server.stop();
    await loki.statusSays(/^(?!Connected)/);
    await loki.say("Written without a connection");
    await server.restart();
    await loki.delivered();
    for (const chat of [thor, loki]) {
      await chat.shows(["Hello from Thor", "Written without a connection"]);
      await chat.peopleHere(2);
      chat.noProblems();
    }
    await thor.page.reload();
    await thor.shows(["Hello from Thor", "Written without a connection"]);
  });

  test("two tabs of a page made with attributes talk, by Enter and by the button", async (t) => {
    const server = await start(t);
    const visit = async () => {
      const made = await Made.visit(browser, `${server.origin}/webflow/`);
      t.after(() => made.close());
      await made.connected();
      return made;
    };
    const [noor, jonas] = await Promise.all([visit(), visit()]);
    await noor.shows(".people-number", ["2"]);
    // No mouse is attached here, and no finger either: Enter sends.
    await noor.say("by Enter", { name: "Noor", enter: true });
    await jonas.shows(".message .bubble", ["by Enter"]);
    await jonas.say("by the button", { name: "Jonas" });
    for (const made of [noor, jonas]) {
      await made.shows(".message .author", ["Noor", "Jonas"]);
      await made.shows(".message.is-pending", []);
      made.noProblems();
    }
    await noor.shows(".message.is-mine .bubble", ["by Enter"]);
    await noor.page.reload();
    await noor.shows(".message.is-mine .bubble", ["by Enter"]);
    assert.equal(await noor.page.inputValue("[name=Name]"), "Noor");
  });

  test("a page of one's own joins, says, hears, asks, keeps its token, and is gone when it is destroyed", async (t) => {
    const server = await start(t);
    const [one, other] = await Promise.all([{ history: true, presence: true }, {}].map((options) => Page.open(browser, server, { options })));
    t.after(() => Promise.all([one, other].map((page) => page.tab.context().close())));
    await one.until("presence_full");
    await other.say("a", "b");
    await one.until("message", 2);
    assert.deepEqual(await one.payloads(), ["a", "b"]);
    const page = await one.evaluate(() => room.history({ limit: 1 }));
    assert.deepEqual(page.history.map(({ payload }) => payload), ["b"]);
    await waitFor(() => one.evaluate(() => room.getPresence().length === 2), () => "both are there");

    await server.stop();
    await waitFor(() => one.evaluate(() => client.status !== "connected"), () => "the connection is lost");
    await one.evaluate(() => say("c"));
    await server.restart();
    await other.until("message", 3);
    assert.deepEqual((await one.receipts()).map(({ state, seq }) => [state, seq]), [["kept", 3]]);

    const token = await one.evaluate(async ({ origin }) => {
      const body = { name: "Thor", email: "thor@example.com", password: "by my hammer" };
      const answer = await new XanoClient({ apiGroupBaseUrl: `${origin}/api:main` }).post("/auth/signup", body);
      client.setRealtimeAuthToken(answer.getBody().authToken);
      return answer.getBody().authToken;
    }, server);
    assert.ok(token);
    const reload = async () => {
      await one.tab.reload();
      await one.tab.addScriptTag({ path: SDK });
      return one.evaluate(async ({ origin, hash }) => {
        window.client = new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash });
        const room = client.channel("marvel-hq", { presence: true });
        await room.ready;
        await new Promise((resolve) => room.on("presence_full", resolve));
        return room.getPresence().map(({ extras }) => extras.name);
      }, server);
    };
    assert.deepEqual(await reload(), ["Thor"]);
    await one.evaluate(() => client.destroy());
    assert.equal(await one.evaluate(() => client.status), "idle");
    assert.deepEqual([...one.tab.problems, ...other.tab.problems], []);
  });

  test("a request brings its answer piece by piece", async (t) => {
    const answers = [];
    const other = await listen(t, (request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "access-control-allow-origin": "*" });
      response.write("data: first\n\n");
      answers.push(response);
    });
    const page = await Page.open(browser, await start(t));
    t.after(() => page.tab.context().close());
    await page.evaluate((origin) => {
      window.pieces = [];
      const other = new XanoClient({ apiGroupBaseUrl: origin });
      void other.get("/events", {}, {}, (event) => pieces.push(event.data));
    }, other);
    await waitFor(() => page.evaluate(() => pieces.length === 1), () => "the first piece is there, before there is another");
    answers[0].end("data: second\n\n");
    await waitFor(() => page.evaluate(() => pieces.join() === "first,second"), () => "the second one too");
  });

  test("the hooks of a StrictMode application hear, send, see who is there, and come back", async (t) => {
    const server = await start(t);
    const page = await ReactPage.open(t, browser, server, `${ROOM_JSX}
      function Here() {
        return <i>{usePresence("marvel-chat-room").length} here, {useConnectionStatus()}</i>;
      }
      function App() {
        const [shown, show] = useState(true);
        return <><button onClick={() => show(!shown)}>turn</button>{shown && <Room />}{shown && <Here />}</>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/ready[^]*1 here, connected/);
    const { channel: other } = await joinFromNode(t, server, "marvel-chat-room", { presence: true });
    await page.shows(/2 here, connected/);
    await other.message("from afar");
    await page.click("send");
    await page.shows(/ready: from afar hello/);
    await page.click("turn");
    await page.pass(5_000);
    await waitFor(() => other.getPresence().length === 1, () => "the other one sees it leave");
    await page.click("turn");
    await page.shows(/ready[^]*2 here, connected/);
    // React's marks of time are lines here, so only what is a problem counts.
    assert.deepEqual(page.tab.problems, []);
  });

  test("the doctor names the policy that blocks the connection", async (t) => {
    const server = await start(t);
    const strict = await listen(t, (request, response) => {
      response.setHeader("content-security-policy", "connect-src 'self'; script-src 'unsafe-inline' 'wasm-unsafe-eval'");
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html>");
    });
    const page = await openTab(browser, strict);
    t.after(() => page.context().close());
    await page.addScriptTag({ path: SDK });
    const findings = await page.evaluate(({ origin, hash }) => new XanoClient({ instanceBaseUrl: origin, realtimeCanonical: hash }).doctor(), server);
    assert.deepEqual(findings.map(({ code }) => code), ["csp_blocks_connection"]);
  });
});
