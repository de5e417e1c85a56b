import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { waitFor } from "./support/chat.js";
import { REACT_18, ROOM, ROOM_JSX, ReactPage, joinFromNode } from "./support/react.js";
import { withBrowserAndServer } from "./support/suite.js";

describe("xano-realtime/react: who uses a channel", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const open = (t, code, options) => ReactPage.open(t, browser, server, ROOM_JSX + code, options);
  const join = (t, name) => joinFromNode(t, server, name);

  test("in StrictMode a channel is joined once, and never left while it is shown", async (t) => {
    const page = await open(t, `
      page.render(<StrictMode><XanoProvider client={client}><Room name="dc-chat-room" /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.pass(5_000);
    await page.click("send");
    await page.shows(/ready: hello/);
    assert.deepEqual(page.sent, ["join dc-chat-room", "message dc-chat-room"]);
    assert.equal(page.sockets.length, 1);
    page.noProblems();
  });

  test("so it is with React 18, with what is under way and what is refused", async (t) => {
    const page = await open(t, `
      import { version } from "react";
      function Here() {
        return <i>{version}: {usePresence("dc-chat-room").length} here, {useConnectionStatus()}</i>;
      }
      page.render(
        <StrictMode>
          <XanoProvider client={() => client}><Room name="dc-chat-room" /><Room name="marvel-hq" /><Here /></XanoProvider>
        </StrictMode>,
      );
    `, { alias: REACT_18 });
    await page.shows(/^ready[^]*anonymous_join_refused[^]*18\.3\.1: 1 here, connected/);
    await page.pass(5_000);
    await page.tab.getByRole("button", { name: "send" }).first().click();
    await page.shows(/ready: hello/);
    assert.deepEqual(page.sent, ["join dc-chat-room", "join marvel-hq", "message dc-chat-room"]);
    page.noProblems();
  });

  test("fifty components that want different things of one channel join it once, with all of that", async (t) => {
    const page = await open(t, `
      function Here() {
        return <i>{usePresence("${ROOM}").length} here</i>;
      }
      page.render(
        <StrictMode>
          <XanoProvider client={client}>
            {Array.from({ length: 48 }, (_, key) => <Room key={key} history={key === 7} />)}
            <Here /><Here />
          </XanoProvider>
        </StrictMode>,
      );
    `);
    await page.shows(/ready[^]*1 here/);
    await page.pass(5_000);
    assert.deepEqual(page.joins.map(({ payload }) => payload), [{ history: true, presence: true, batch: true }]);
    assert.deepEqual(page.sent, [`join ${ROOM}`]);
    page.noProblems();
  });

  test("a component that comes later and wants more gets it, and what is under way goes on", async (t) => {
    const page = await open(t, `
      function Here() {
        return <i>{usePresence("${ROOM}").length} here</i>;
      }
      function App() {
        const [more, setMore] = useState(false);
        const { send } = useChannel("${ROOM}");
        const both = () => {
          setMore(true);
          send("sent before").then(({ id }) => seen.push(typeof id));
        };
        return <><Room />{more && <Here />}<button onClick={both}>more</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.click("more");
    await page.shows(/sent before[^]*1 here/);
    await waitFor(() => page.tab.evaluate(() => seen.length), () => "the receipt comes");
    assert.deepEqual(await page.tab.evaluate(() => seen), ["string"]);
    assert.deepEqual(page.joins.map(({ payload }) => payload.presence), [false, true]);
    assert.equal(page.sent.includes(`leave ${ROOM}`), false);
    page.noProblems();
  });

  test("what is taken down and put up again within a second neither leaves nor joins, and has missed nothing", async (t) => {
    const page = await open(t, `
      function App() {
        const [key, setKey] = useState(0);
        return <>{key % 2 === 0 && <Room key={key} />}<button onClick={() => setKey(key + 1)}>next</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    const other = await join(t);
    await page.shows(/^ready/);
    await page.tab.clock.pauseAt(Date.now() + 3_600_000);
    await page.click("next");
    await page.shows("next");
    await page.pass(900);
    await other.channel.message("meanwhile");
    await page.click("next");
    await page.pass(100);
    await page.shows(/ready: meanwhile/);
    await page.pass(10_000);
    assert.deepEqual(page.sent.filter((frame) => frame !== "ping undefined"), [`join ${ROOM}`]);
    page.noProblems();
  });

  test("what stays away is left, and the last one closes the connection", async (t) => {
    const page = await open(t, `
      function App() {
        const [rooms, setRooms] = useState(["${ROOM}", "dc-chat-room"]);
        return <>{rooms.map((name) => <Room key={name} name={name} />)}<button onClick={() => setRooms(rooms.slice(1))}>close</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/ready[^]*ready/);
    await page.click("close");
    await waitFor(() => page.sent.includes(`leave ${ROOM}`), () => `it leaves: ${page.sent}`);
    assert.equal(page.sockets[0].closed, false);
    await page.click("close");
    await waitFor(() => page.sockets[0].closed, () => "the connection is closed");
    assert.deepEqual(page.sent, [`join ${ROOM}`, "join dc-chat-room", `leave ${ROOM}`, "leave dc-chat-room"]);
    page.noProblems();
  });

  test("a component that goes while the connection is being made leaves nothing behind", async (t) => {
    const page = await open(t, `
      page.render(<StrictMode><XanoProvider client={client}><Room /></XanoProvider></StrictMode>);
      setTimeout(() => page.unmount(), 0);
      globalThis.stateOf = () => client.status;
    `);
    await page.shows("");
    await page.pass(2_000);
    await waitFor(() => page.tab.evaluate(() => stateOf() === "idle"), () => "the client is idle");
    await waitFor(() => page.sockets.every(({ closed }) => closed), () => "no connection is open");
    assert.deepEqual(page.tab.problems, []);
  });

  test("a message outlives the component that sent it", async (t) => {
    const page = await open(t, `
      function Goodbye() {
        const { send } = useChannel("${ROOM}");
        useEffect(() => () => void send("goodbye"), [send]);
        return "here";
      }
      function App() {
        const [here, setHere] = useState(true);
        return <>{here && <Goodbye />}<button onClick={() => setHere(false)}>go</button></>;
      }
      page.render(<XanoProvider client={client}><App /></XanoProvider>);
    `);
    const other = await join(t);
    await page.shows(/here/);
    await page.click("go");
    await waitFor(() => other.heard.includes("goodbye"), () => `it arrives: ${other.heard}`);
    await page.pass(2_000);
    await waitFor(() => page.sockets.every(({ closed }) => closed), () => "then the connection is closed");
    page.noProblems();
  });

  test("another name is another channel: its messages, and the former is left", async (t) => {
    const page = await open(t, `
      function App() {
        const [name, setName] = useState("dc-chat-room");
        return <><Room name={name} /><button onClick={() => setName("${ROOM}")}>change</button><button onClick={() => setName(null)}>none</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.click("send");
    await page.shows(/hello/);
    await page.click("change");
    await page.shows(/^ready: *\n/);
    await page.pass(2_000);
    await waitFor(() => page.sent.includes("leave dc-chat-room"), () => `it leaves: ${page.sent}`);
    assert.equal(page.joins.length, 2);
    await page.click("none");
    await page.shows(/^waiting/);
    await waitFor(() => page.sockets[0].closed, () => "without a name there is no connection");
    page.noProblems();
  });

  test("another client takes over, and the connection of the former is closed", async (t) => {
    const page = await open(t, `
      const clients = [client, new XanoClient(config), null];
      function App() {
        const [index, setIndex] = useState(0);
        return <XanoProvider client={clients[index]}><Room /><button onClick={() => setIndex(index + 1)}>next</button></XanoProvider>;
      }
      page.render(<StrictMode><App /></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.click("next");
    await waitFor(() => page.sockets.length === 2, () => "a second connection opens");
    await page.shows(/^ready/);
    await page.pass(2_000);
    await waitFor(() => page.sockets[0].closed, () => "the first is closed");
    assert.deepEqual(page.joins.length, 2);
    await page.click("next");
    await page.shows(/^waiting/);
    await page.click("send");
    await waitFor(() => page.sockets[1].closed, () => "the second too");
    page.noProblems();
  });

  test("a client's function is called once, in the browser, and gives what the hooks use", async (t) => {
    const page = await open(t, `
      function Who() {
        return useXanoClient() === seen[0] ? "the same" : "another";
      }
      function App() {
        const [count, setCount] = useState(0);
        const make = () => {
          seen.push(new XanoClient(config));
          return seen.at(-1);
        };
        return <XanoProvider client={make}><Room /><Who /><button onClick={() => setCount(count + 1)}>again {count}</button></XanoProvider>;
      }
      page.render(<StrictMode><App /></StrictMode>);
    `);
    await page.shows(/^ready[^]*the same/);
    await page.click("again 0");
    await page.shows(/again 1/);
    assert.equal(await page.tab.evaluate(() => seen.length), 1);
    assert.equal(page.joins.length, 1);
    page.noProblems();
  });

  test("options may change: what is wanted later is had later, without leaving", async (t) => {
    const other = await join(t);
    await other.channel.message("kept");
    const page = await open(t, `
      function App() {
        const [history, setHistory] = useState(false);
        const [queueOfflineActions, setQueue] = useState(true);
        const { messages, send } = useChannel("${ROOM}", { history, queueOfflineActions });
        const offline = () => {
          setQueue(false);
          client.realtimeReconnect();
          setTimeout(() => {
            client.realtimeReconnect();
            document.getElementById("send").click();
          });
        };
        return <>
          <p>{messages.filter(({ payload }) => payload === "kept").length} {messages.filter(({ payload }) => payload === "live").length}</p>
          <button onClick={() => setHistory(true)}>history</button>
          <button onClick={offline}>offline</button>
          <button id="send" onClick={() => send("x").catch(({ code }) => seen.push(code))}>send</button>
        </>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await waitFor(() => page.joins.length === 1, () => "it joins");
    await other.channel.message("live");
    await page.shows(/^0 1/);
    await page.click("history");
    await page.shows(/^1 1/);
    assert.deepEqual(page.joins.map(({ payload }) => payload.history), [false, true]);
    await page.click("offline");
    await waitFor(() => page.tab.evaluate(() => seen.length), () => "the message is refused");
    assert.deepEqual(await page.tab.evaluate(() => seen), ["not_connected"]);
    assert.equal(page.sent.includes(`leave ${ROOM}`), false);
  });

  test("a rendering that never comes about joins nothing", async (t) => {
    const page = await open(t, `
      const never = new Promise(() => {});
      function Slow() {
        useChannel("dc-chat-room");
        use(never);
      }
      function App() {
        const [slow, setSlow] = useState(false);
        return <Suspense fallback="loading"><Room />{slow && <Slow />}<button onClick={() => startTransition(() => setSlow(true))}>slow</button></Suspense>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.click("slow");
    await page.click("send");
    await page.shows(/hello/);
    await page.pass(5_000);
    assert.deepEqual(page.sent, [`join ${ROOM}`, `message ${ROOM}`]);
    page.noProblems();
  });

  test("what is hidden leaves its channel, and joins again when it is shown", async (t) => {
    const page = await open(t, `
      function App() {
        const [mode, setMode] = useState("visible");
        return <><Activity mode={mode}><Room /></Activity><button onClick={() => setMode(mode === "visible" ? "hidden" : "visible")}>{mode}</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^ready/);
    await page.click("visible");
    await page.shows("hidden");
    await page.pass(2_000);
    await waitFor(() => page.sockets[0].closed, () => "the connection is closed");
    await page.click("hidden");
    await page.shows(/^ready/);
    assert.equal(page.joins.length, 2);
    page.noProblems();
  });
});
