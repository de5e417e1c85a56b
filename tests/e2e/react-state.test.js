import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { waitFor } from "./support/chat.js";
import { ROOM, ROOM_JSX, ReactPage, joinFromNode } from "./support/react.js";
import { Server } from "./support/server.js";
import { withBrowserAndServer } from "./support/suite.js";

describe("xano-realtime/react: what a channel tells", () => {
  let browser;
  let server;
  withBrowserAndServer((made) => ({ browser, server } = made));

  const open = (t, code, options) => ReactPage.open(t, browser, server, ROOM_JSX + code, options);
  const join = (t, name) => joinFromNode(t, server, name);

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
    await page.shows(/^true [1-9]/);
    await page.pass(10);
    assert.equal(await times(), 1, "the first, and what came together with it, is shown at once");
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

  test("a client that is destroyed is told at once, and who uses it again begins anew", async (t) => {
    const page = await open(t, `
      function Here() {
        const members = usePresence("${ROOM}");
        const status = useConnectionStatus();
        return <p>{status}, {members.length} here</p>;
      }
      page.render(
        <StrictMode>
          <XanoProvider client={client}><Here /><Room /><button onClick={() => client.destroy()}>destroy</button></XanoProvider>
        </StrictMode>,
      );
    `);
    await page.shows(/^connected, 1 here\s+ready:/);
    await page.click("send");
    await page.shows(/ready: hello/);
    await page.click("destroy");
    await page.shows(/^idle, 0 here\s+waiting: hello channel_destroyed/);
    await waitFor(() => page.sockets.every(({ closed }) => closed), () => "the connection is closed");
    await page.click("send");
    await page.shows(/^connected, 1 here\s+ready: hello hello\s/);
    await page.click("destroy");
    await page.shows(/^idle, 0 here\s+waiting: hello hello channel_destroyed/);
    page.noProblems();
  });

  test("after an end for good and another connection being destroyed is told as well", async (t) => {
    const own = await Server.start();
    t.after(() => own.dispose());
    const page = await ReactPage.open(t, browser, own, ROOM_JSX + `
      function Status() {
        return <p>{useConnectionStatus()}</p>;
      }
      page.render(<XanoProvider client={client}><Status /><Room /></XanoProvider>);
      globalThis.again = () => void client.realtimeReconnect();
      globalThis.destroy = () => client.destroy();
    `);
    await page.shows(/^connected\s+ready/);
    const { channels } = await own.admin("GET", "");
    await own.admin("PUT", "", { enabled: false, channels });
    await page.shows(/^closed\s+waiting/);
    await own.admin("PUT", "", { enabled: true, channels });
    await page.tab.evaluate(() => again());
    await page.shows(/^connected\s+ready/);
    await page.tab.evaluate(() => destroy());
    await page.shows(/^idle\s+waiting: +channel_destroyed/);
  });

  test("a hundred components that show the connection's state share one timer", async (t) => {
    const page = await open(t, `
      const begin = setInterval;
      const end = clearInterval;
      const running = new Set();
      globalThis.setInterval = (...all) => {
        const timer = begin(...all);
        if (all[1] === 1_000) running.add(timer);
        return timer;
      };
      globalThis.clearInterval = (timer) => {
        running.delete(timer);
        end(timer);
      };
      function Status() {
        return <b>{useConnectionStatus()} </b>;
      }
      function App() {
        const [count, setCount] = useState(100);
        const show = Array.from({ length: count }, (_, key) => <Status key={key} />);
        return <>{show}{[1, 0].map((less) => <button key={less} onClick={() => setCount(less)}>{"show " + less}</button>)}</>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
      client.channel("${ROOM}").on(() => {});
      globalThis.timers = () => running.size;
    `);
    const timers = () => page.tab.evaluate(() => globalThis.timers());
    await page.shows(/^(idle|connecting|connected) /);
    assert.equal(await timers(), 1);
    const connected = async () => {
      await page.pass(1_000);
      return /^(connected ){100}/.test((await page.text()).replaceAll("\n", " "));
    };
    await waitFor(connected, () => "each of them shows it within a second");
    await page.click("show 1");
    await page.shows(/^connected\s*show 1/);
    assert.equal(await timers(), 1);
    await page.click("show 0");
    await page.shows(/^show 1/);
    assert.equal(await timers(), 0);
    page.noProblems();
  });

  test("what came within one millisecond stays in its order when the history is asked for again", async (t) => {
    const own = await Server.start();
    t.after(() => own.dispose());
    const whisper = { pattern: "whisper", anonymous_clients: true, presence: true, client_public_messaging: true, client_private_messaging: true, history: 100 };
    await own.admin("POST", "/channel", whisper);
    const page = await ReactPage.open(t, browser, own, `
      function App() {
        const [times, setTimes] = useState(0);
        const { messages, channel, socketId } = useChannel("whisper", { history: true, on: { history: () => setTimes((before) => before + 1) } });
        globalThis.list = () => messages.map(({ payload, ts }) => ({ payload, ts }));
        return <><p>{messages.length} for {socketId}</p><button onClick={() => channel.history()}>again</button> {times}</>;
      }
      page.render(<StrictMode><XanoProvider client={client}><App /></XanoProvider></StrictMode>);
    `);
    await page.shows(/^0 for ./);
    const [socketId] = /(?<=for )\S+/.exec(await page.text());
    const { channel } = await joinFromNode(t, own, "whisper");
    const sent = Array.from({ length: 40 }, (_, index) => index);
    // The even ones are private, and not in the history.
    await Promise.all(sent.map((payload) => channel.message(payload, payload % 2 ? {} : { socketId })));
    await page.shows(/^40 for/);
    const list = () => page.tab.evaluate(() => globalThis.list());
    const before = await list();
    assert.deepEqual(before.map(({ payload }) => payload), sent);
    assert.ok(before.some(({ payload, ts }, index) => payload % 2 === 0 && before[index - 1]?.ts === ts), "some came in one millisecond");
    await page.click("again");
    await page.shows(/^40 for [^]* 2$/);
    assert.deepEqual(await list(), before);
    page.noProblems();
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
});
