import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { WebSocket } from "ws";

import { XanoClient } from "../../dist/index.js";
import { launchBrowser } from "./support/browser.js";
import { waitFor } from "./support/chat.js";
import { REACT_18, ReactPage } from "./support/react.js";
import { Server } from "./support/server.js";

const ROOM = "marvel-chat-room";
// Node.js 20 has none.
globalThis.WebSocket ??= WebSocket;

/** A component that shows a channel, with buttons. */
const ROOM_JSX = `
  function Room({ name = "${ROOM}", ...options }) {
    const { messages, ready, error, send } = useChannel(name, options);
    return (
      <>
        <p>{ready ? "ready" : "waiting"}: {messages.map(({ payload }) => payload).join(" ")} {error?.code}</p>
        <button onClick={() => send("hello")}>send</button>
      </>
    );
  }
`;

describe("xano-realtime/react", () => {
  let browser;
  let server;

  before(async () => {
    browser = await launchBrowser();
    server = await Server.start();
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const open = (t, code, options) => ReactPage.open(t, browser, server, ROOM_JSX + code, options);

  /** A member without React. */
  const join = async (t, name = ROOM) => {
    const client = new XanoClient({ instanceBaseUrl: server.origin, realtimeConnectionCanonical: server.hash });
    t.after(() => client.destroy());
    const heard = [];
    const channel = client.channel(name).on("message", ({ payload }) => heard.push(payload), () => {});
    await channel.ready;
    return { channel, heard };
  };

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
    assert.deepEqual(page.joins.map(({ payload }) => payload), [{ history: true, presence: true }]);
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

  test("a refused join is told, throws nothing, and the console is quiet where it is shown", async (t) => {
    const page = await open(t, `
      page.render(<StrictMode><XanoProvider client={client}><Room name="marvel-hq" /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^waiting: +anonymous_join_refused/);
    page.noProblems();
  });

  test("an error that no component takes is on the console", async (t) => {
    const page = await open(t, `
      function Careless() {
        return useChannel("marvel-hq").messages.length;
      }
      page.render(<StrictMode><XanoProvider client={client}><Careless /></XanoProvider></StrictMode>);
    `);
    await waitFor(() => page.tab.lines.some((line) => line.startsWith("xano-realtime: an error came")), () => `it says so: ${page.tab.lines}`);
    assert.ok(page.tab.lines.some((line) => line.includes("Anonymous clients cannot join this channel.")), page.tab.lines.join());
  });

  test("settings that say nowhere to connect to, and a client that cannot be made, are errors like others", async (t) => {
    const page = await open(t, `
      const broken = () => { throw Object.assign(new Error("no"), { code: "mine" }); };
      page.render(
        <StrictMode>
          <XanoProvider client={new XanoClient({})}><Room /></XanoProvider>
          <XanoProvider client={broken}><Room /></XanoProvider>
        </StrictMode>,
      );
    `);
    await page.shows(/no_base_url[^]*mine/);
    assert.deepEqual(page.tab.problems, []);
    assert.equal(page.sockets.length, 0);
  });

  test("what is no client, and a hook without a provider, say what is missing", async (t) => {
    const page = await open(t, `
      class Boundary extends Component {
        state = {};
        static getDerivedStateFromError(error) {
          return { error };
        }
        render() {
          return this.state.error?.message ?? this.props.children;
        }
      }
      page.render(<><Boundary><XanoProvider><Room /></XanoProvider></Boundary><Boundary><Room /></Boundary></>);
    `);
    await page.shows(/XanoProvider> needs a client[^]*useChannel\(\) needs an <XanoProvider/);
  });

  test("a message that is refused is told until one is published", async (t) => {
    const page = await open(t, `
      function App() {
        const { send, error } = useChannel("${ROOM}");
        return <>
          <p>{error ? error.code : "fine"}</p>
          <button onClick={() => send("x".repeat(1 << 20)).catch(({ code }) => seen.push(code))}>too much</button>
          <button onClick={() => send("x")}>enough</button>
        </>;
      }
      page.render(<XanoProvider client={client}><App /></XanoProvider>);
    `);
    await page.shows(/^fine/);
    await page.click("too much");
    await page.shows(/^message_too_large/);
    assert.deepEqual(await page.tab.evaluate(() => seen), ["message_too_large"]);
    await page.click("enough");
    await page.shows(/^fine/);
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

  test("listeners hear each action once, the latest function is called, and one that throws spares the others", async (t) => {
    const page = await open(t, `
      function App() {
        const [count, setCount] = useState(0);
        const throwing = { message() { throw new Error("mine"); } };
        useChannel("dc-chat-room", { limit: 0, on: throwing });
        const { send } = useChannel("dc-chat-room", {
          limit: 0,
          on: { message: ({ payload }) => seen.push([payload, count]), join: () => seen.push("join"), error: ({ payload }) => seen.push(payload.code) },
        });
        return <><button onClick={() => send("one")}>send</button><button onClick={() => setCount(count + 1)}>count {count}</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    const seen = (count) => waitFor(async () => (await page.tab.evaluate(() => globalThis.seen.length)) === count, () => `${count} are heard`);
    await seen(1);
    await page.click("send");
    await seen(2);
    await page.click("count 0");
    await page.shows(/count 1/);
    await page.click("send");
    await seen(3);
    assert.deepEqual(await page.tab.evaluate(() => globalThis.seen), ["join", ["one", 0], ["one", 1]]);
    assert.equal(page.joins.length, 1);
    assert.ok(page.tab.problems.every((problem) => problem.includes("mine")) && page.tab.problems.length === 2, String(page.tab.problems));
  });

  test("a token that is refused is told as long as the connection is anonymous for it", async (t) => {
    const page = await open(t, `
      function App() {
        const [presence, setPresence] = useState(false);
        const { ready, error, send } = useChannel("${ROOM}", { presence });
        return <>
          <p>{String(ready)} {error?.code ?? "fine"}</p>
          <button onClick={() => send("x").then(() => setPresence(true))}>send</button>
          <button onClick={() => client.setRealtimeAuthToken(null).realtimeReconnect()}>anonymous</button>
        </>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `, { config: { realtimeAuthToken: "no.such.token" } });
    await page.shows(/^true invalid_token/);
    await page.click("send");
    await waitFor(() => page.joins.length === 2, () => "it wants to know who is here");
    await page.pass(1_000);
    await page.shows(/^true invalid_token/);
    await page.click("anonymous");
    await page.shows(/^true fine/);
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

  test("a flood of messages is rendered a few times, and only the newest are kept", async (t) => {
    const page = await open(t, `
      let renderings = 0;
      globalThis.renderings = () => renderings;
      function App() {
        const { messages, ready } = useChannel("dc-chat-room", { limit: 20, on: { message: ({ payload }) => seen.push(payload) } });
        renderings += 1;
        return <p>{String(ready)} {messages.length} {messages.at(-1)?.payload}</p>;
      }
      page.render(<XanoProvider client={client}><App /></XanoProvider>);
    `);
    await page.shows(/true/);
    const other = await join(t, "dc-chat-room");
    await page.tab.clock.pauseAt(Date.now() + 3_600_000);
    const before = await page.tab.evaluate(() => renderings());
    const times = async () => (await page.tab.evaluate(() => renderings())) - before;
    await Promise.all(Array.from({ length: 900 }, (_, index) => other.channel.message(index)));
    await waitFor(async () => (await page.tab.evaluate(() => seen.length)) === 900, () => "all are heard");
    await page.shows(/^true 1 0$/);
    await page.pass(10);
    assert.equal(await times(), 1, "the first is shown at once");
    await page.pass(10);
    await page.shows("true 20 899");
    assert.equal(await times(), 2, "and the others together");
    page.noProblems();
  });

  test("after a reconnect what was missed is there, once and in order, with a history too", async (t) => {
    const page = await open(t, `
      function App() {
        const { messages, continuity, ready } = useChannel("${ROOM}", { history: true });
        const status = useConnectionStatus();
        return <p>{status} {String(ready)} {continuity} {messages.slice(-3).map(({ payload }) => payload).join(" ")}</p>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
      globalThis.again = () => client.realtimeReconnect();
    `);
    const other = await join(t);
    await other.channel.message("first");
    await other.channel.message("second");
    await page.shows(/connected true continuous .*first second$/);
    await page.tab.evaluate(() => again());
    await other.channel.message("third");
    await page.shows(/connected true continuous first second third$/);
    assert.equal(page.joins.length, 2);
    page.noProblems();
  });

  test("the connection's state is told as it changes", async (t) => {
    const own = await Server.start();
    t.after(() => own.dispose());
    const page = await ReactPage.open(t, browser, own, ROOM_JSX + `
      function Status() {
        const status = useConnectionStatus();
        useEffect(() => void (seen.at(-1) !== status && seen.push(status)), [status]);
        return status;
      }
      function App() {
        const [on, setOn] = useState(false);
        return <><Status />{on && <Room />}<button onClick={() => setOn(!on)}>switch</button></>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^idle/);
    await page.click("switch");
    await page.shows(/^connected/);
    await own.stop();
    await page.shows(/^(waiting|connecting)/);
    await own.restart();
    await page.shows(/^connected/);
    await page.click("switch");
    await page.shows(/^idle/);
    const seen = await page.tab.evaluate(() => globalThis.seen);
    assert.deepEqual(seen.slice(0, 4), ["idle", "connecting", "connected", "waiting"]);
    assert.deepEqual(seen.slice(-2), ["connected", "idle"]);
  });

  test("who is here is told, with who they are, and the list stays the same until it changes", async (t) => {
    const page = await open(t, `
      function App() {
        const members = usePresence("${ROOM}");
        const { socketId } = useChannel("${ROOM}");
        const [count, setCount] = useState(0);
        useEffect(() => void seen.push(members.length), [members]);
        const self = members.findIndex((member) => member.socketId === socketId);
        return <><p>{members.length} here, self {self}</p><button onClick={() => setCount(count + 1)}>again {count}</button></>;
      }
      page.render(<XanoProvider client={client}><App /></XanoProvider>);
    `);
    await page.shows(/^1 here, self 0/);
    const other = await join(t);
    await page.shows(/^2 here, self 0/);
    await page.click("again 0");
    await page.shows(/again 1/);
    other.channel.destroy();
    await page.shows(/^1 here/);
    assert.deepEqual(await page.tab.evaluate(() => seen), [0, 1, 2, 1]);
    page.noProblems();
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
