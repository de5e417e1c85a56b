import { waitFor } from "./support/chat.js";
import { fault } from "./support/faults.js";

// The faults of @xano/js-sdk 3.0.1 that are about the connection, in the order of the list they come from.

fault("Two channels while connecting: the second one does not throw, and both join", {
  async story(scene) {
    const stage = await scene.stage();
    stage.hold();
    const thor = await scene.open(stage);
    const thrown = await thor.do((me) => {
      me.room = me.open("a");
      return me.thrown(() => me.open("b"));
    });
    stage.admit();
    await thor.until("connection_status");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return { thrown: thrown !== null, joined: stage.channels("join") };
  },
  theirs: { thrown: true, joined: ["a"] },
  ours: { thrown: false, joined: ["a", "b"] },
});

fault("Destroying while connecting: it does not throw, and no connection is left behind", {
  async story(scene) {
    const stage = await scene.stage();
    stage.hold();
    const thor = await scene.open(stage);
    const thrown = await thor.do((me) => {
      const room = me.open("a");
      return me.thrown(() => room.destroy());
    });
    await waitFor(() => stage.upgrades.length === 1 || thor.do((me) => me.isDead()), () => "the attempt is on its way, or over");
    stage.admit();
    const state = () => thor.do((me) => me.sockets[0].readyState);
    await waitFor(async () => (await state()) % 2 === 1, () => "the socket is open or closed");
    return { thrown: thrown !== null, socket: (await state()) === 1 ? "stays open" : "closed" };
  },
  theirs: { thrown: true, socket: "stays open" },
  ours: { thrown: false, socket: "closed" },
});

fault("React's StrictMode mounts, unmounts and mounts: one join, and the mount that stays hears", {
  async story(scene) {
    const stage = await scene.stage();
    stage.hold();
    const thor = await scene.open(stage);
    const thrown = await thor.do((me) => {
      me.mounts = [];
      const mount = (number) => {
        const room = me.client.channel("a");
        room.on("message", ({ payload }) => me.mounts.push(`${number} hears ${payload}`));
        return () => room.destroy();
      };
      const unmount = mount(1);
      return [() => unmount(), () => mount(2)].map((act) => me.thrown(act) !== null);
    });
    stage.admit();
    await waitFor(() => stage.channels("join").length > 0, () => "somebody joins");
    stage.say({ action: "message", options: { channel: "a" }, payload: "hello" });
    await waitFor(() => thor.do((me) => me.mounts.length > 0), () => "it is heard");
    return { thrown, joins: stage.channels("join").length, mounts: await thor.do((me) => me.mounts) };
  },
  theirs: { thrown: [true, true], joins: 1, mounts: ["1 hears hello"] },
  ours: { thrown: [false, false], joins: 1, mounts: ["2 hears hello"] },
});

for (const [name, next] of [
  ["another channel", "b"],
  ["the same channel", "a"],
]) {
  fault(`Destroying the last channel and opening ${name} in one tick: realtime lives`, {
    async story(scene) {
      const stage = await scene.stage();
      const thor = await (await scene.open(stage)).joins("a");
      await thor.do((me, next) => {
        me.room.destroy();
        me.room = me.open(next);
      }, next);
      const states = () => thor.do((me) => `${me.sockets.map(({ readyState }) => readyState)}`);
      await waitFor(async () => (await states()) === "3,1", async () => `the old socket is closed and the new one open: ${await states()}`);
      await thor.do((me) => me.room.message("still here"));
      // What the old SDK is given now it drops before it returns; ours sends it right behind the join.
      await waitFor(async () => scene.sdk === "theirs" || stage.payloads().length > 0, () => "the message comes");
      return { ends: (await thor.statuses()).includes("disconnected"), sent: (await thor.sent()).filter((text) => /still here/.test(text)).length };
    },
    theirs: { ends: true, sent: 0 },
    ours: { ends: false, sent: 1 },
  });
}

fault("Messages during the wait for another connection: kept, and sent in order", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { queueOfflineActions: true });
    stage.kick(1012);
    await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    await thor.do((me) => me.room.message("meanwhile"));
    await waitFor(() => stage.channels("join").length === 2, () => "it comes back");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return stage.payloads();
  },
  theirs: ["fence"],
  ours: ["meanwhile", "fence"],
});

fault("Two clients with two hosts: each talks to its own", {
  async story(scene) {
    const [here, there] = [await scene.stage(), await scene.stage()];
    const thor = await (await scene.open(here, {}, { "other.test": there })).joins("a");
    await thor.do((me) => {
      const other = new me.Client({ instanceBaseUrl: "https://other.test", realtimeConnectionCanonical: "other" });
      me.other = other.channel("b");
      me.other.on((action) => me.heard.push({ ...action, keys: [] }));
    });
    await thor.until("join", (one) => one.options.channel === "b");
    await thor.do((me) => {
      me.room.message("to here");
      me.other.message("to there");
    });
    await waitFor(() => [here, there].flatMap((stage) => stage.payloads()).length === 2, () => "both come");
    return [here, there].map((stage) => [stage.upgrades.map(({ url }) => url), stage.payloads()]);
  },
  theirs: [[["/rt/staged"], ["to here", "to there"]], [[], []]],
  ours: [[["/rt/staged"], ["to here"]], [["/rt/other"], ["to there"]]],
});

fault("A second client made later: the first one keeps its token when it reconnects", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage, { realtimeAuthToken: "first" })).joins("a");
    await thor.do((me) => {
      new me.Client({ instanceBaseUrl: "https://xano.test", realtimeConnectionCanonical: "staged", realtimeAuthToken: "second" }).channel("b");
    });
    stage.kick(1012);
    await waitFor(() => stage.upgrades.length === 2, () => "it comes back");
    return stage.upgrades.map(({ protocol }) => protocol);
  },
  theirs: ["first", "second"],
  ours: ["first", "first"],
});

fault("An address with http: and a port: that is where it connects", {
  async story(scene) {
    const stage = await scene.stage({ tls: false });
    const thor = await scene.open(stage, { instanceBaseUrl: `http://127.0.0.1:${stage.port}/` });
    await thor.do((me) => void (me.room = me.open("a")));
    const { payload } = await thor.until("connection_status");
    return [await thor.do((me) => me.sockets[0].url.replace(/:\d+/, ":PORT")), payload.status];
  },
  theirs: ["wss://127.0.0.1/rt/staged", "disconnected"],
  ours: ["ws://127.0.0.1:PORT/rt/staged", "connected"],
});

for (const [code, name] of [
  [1001, "goes away"],
  [1005, "says no code"],
  [1009, "got too large a frame"],
]) {
  fault(`A server that ${name}: it is there again soon`, {
    async story(scene) {
      const stage = await scene.stage();
      const thor = await (await scene.open(stage)).joins("a");
      stage.kick(code === 1005 ? undefined : code);
      await thor.until("connection_status", (one) => one.payload.status === "disconnected");
      const isOver = () => thor.do((me) => me.isDead());
      await waitFor(async () => stage.channels("join").length === 2 || (await isOver()), () => "it is back, or dead for ever");
      return stage.channels("join").length === 2;
    },
    theirs: false,
    ours: true,
  });
}

fault("An end for good: the application is told so, and can start again", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    stage.kick(1008);
    const { payload } = await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    await waitFor(() => thor.do((me) => me.isDead()), () => "nothing is to be expected");
    await thor.do((me) => void me.client.realtimeReconnect());
    const isBack = () => stage.channels("join").length === 2;
    await waitFor(async () => isBack() || thor.do((me) => me.isDead()), () => "it is back, or dead for ever");
    return { code: payload.code, isBack: isBack() };
  },
  theirs: { code: undefined, isBack: false },
  ours: { code: 1008, isBack: true },
});

fault("Destroying during the wait for another connection: there is none", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    stage.kick(1012);
    await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    await thor.do((me) => me.room.destroy());
    await waitFor(async () => stage.upgrades.length === 2 || thor.do((me) => me.isDead()), () => "it is back, or at rest");
    return { connections: stage.upgrades.length };
  },
  theirs: { connections: 2 },
  ours: { connections: 1 },
});

fault("on() after destroy(): the channel starts again", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => me.room.destroy());
    await waitFor(() => thor.do((me) => me.isDead()), () => "the socket is closed");
    await thor.do((me) => void me.room.on(() => {}));
    const isBack = () => stage.channels("join").length === 2;
    await waitFor(async () => isBack() || thor.do((me) => me.isDead()), () => "it is back, or dead for ever");
    return isBack();
  },
  theirs: false,
  ours: true,
});

fault("A server that accepts and hangs up at once: the waits grow", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await scene.open(stage);
    await thor.do((me) => {
      // The longest that chance allows.
      Math.random = () => 1 - 2 ** -40;
      me.open("a");
    });
    // Ours begins to listen to the page then: what it waits for afterwards is to come back.
    await thor.do((me) => me.pass(100));
    stage.greet = (connection) => connection.close(1012);
    stage.kick(1012);
    const waits = [];
    for (let times = 2; times < 6; times += 1) {
      const rest = () => thor.do((me) => (me.sockets.every(({ readyState }) => readyState === 3) ? me.waits() : []));
      await waitFor(async () => (await rest()).length === 1, () => "it waits");
      const [wait] = await rest();
      waits.push(Math.round(wait / 100) / 10);
      await thor.do((me, wait) => me.pass(wait + 1), wait);
    }
    return waits;
  },
  theirs: [1, 1, 1, 1],
  ours: [1, 2, 4, 8],
});

fault("Clients of one restarted server: they do not come back all at once", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    const waits = [];
    for (const random of [0.25, 0.75]) {
      await thor.do((me, random) => void (Math.random = () => random), random);
      const joins = stage.channels("join").length;
      stage.kick(1012);
      const isWaiting = () => thor.do((me) => me.sockets.every(({ readyState }) => readyState === 3));
      await waitFor(isWaiting, () => "it waits");
      waits.push(await thor.do((me) => me.waits()[0]));
      await waitFor(() => stage.channels("join").length > joins, () => "it comes back");
      // Long enough for the connection to count as one.
      await thor.do((me) => me.pass(10_000));
    }
    return waits.map((wait) => Math.round(wait / 10) * 10);
  },
  theirs: [1_000, 1_000],
  ours: [250, 750],
});

fault("An attempt that nobody answers: it ends, and another one begins", {
  async story(scene) {
    const stage = await scene.stage();
    stage.hold();
    const thor = await scene.open(stage);
    await thor.do((me) => void me.open("a"));
    await waitFor(() => stage.upgrades.length === 1, () => "it asks for a connection");
    await thor.do((me) => me.pass(12_000));
    const [first, second] = await thor.do((me) => me.sockets.map(({ readyState }) => readyState));
    return { first: first === 0 ? "connecting" : "given up", second: second !== undefined };
  },
  theirs: { first: "connecting", second: false },
  ours: { first: "given up", second: true },
});

fault("A server that falls silent on an open line: it is noticed", {
  async story(scene) {
    const server = await scene.server();
    const thor = await (await scene.open(server)).joins("all/silent");
    server.pause();
    await thor.do((me) => me.pass(30_000));
    const told = (await thor.heard("connection_status")).at(-1).payload;
    return told.reason ?? told.status;
  },
  theirs: "connected",
  ours: "the server stopped answering",
});

fault("realtimeReconnect(): at once, and what is said meanwhile is sent", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { queueOfflineActions: true });
    await thor.do((me) => void me.client.realtimeReconnect());
    await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    const { waits, attempts } = await thor.do((me) => {
      me.room.message("meanwhile");
      return { waits: me.waits().includes(1_000), attempts: me.sockets.length };
    });
    await waitFor(() => stage.channels("join").length === 2, () => "it comes back");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return { waits, attempts, sent: stage.payloads() };
  },
  theirs: { waits: true, attempts: 1, sent: ["fence"] },
  ours: { waits: false, attempts: 2, sent: ["meanwhile", "fence"] },
});

fault("on() while another connection is on its way, after all was destroyed: it does not throw", {
  async story(scene) {
    const stage = await scene.stage();
    stage.silent = true;
    const thor = await scene.open(stage);
    await thor.do((me) => {
      me.rooms = ["a", "b", "c"].map((name) => me.client.channel(name));
      me.rooms[0].on((action) => me.heard.push({ ...action, keys: [] }));
    });
    await thor.until("connection_status");
    await thor.do((me) => me.rooms[0].destroy());
    await waitFor(() => thor.do((me) => me.sockets[0].readyState === 3), () => "the socket is closed");
    const thrown = await thor.do((me) => me.rooms.slice(1).map((room) => me.thrown(() => room.on(() => {})) !== null));
    return thrown;
  },
  theirs: [false, true],
  ours: [false, false],
});
