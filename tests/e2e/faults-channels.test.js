import { waitFor } from "./support/chat.js";
import { fault } from "./support/faults.js";

// The faults of @xano/js-sdk 3.0.1 that are about channels, in the order of the list they come from.

const someone = (socketId) => ({ socketId, extras: {}, permissions: { dbo_id: 0, row_id: 0 } });

/** Waits until everything that the staged server has said so far is heard. */
async function fence(stage, person) {
  const payload = `fence ${Math.random()}`;
  stage.say({ action: "message", options: { channel: "a" }, payload });
  await person.until("message", (one) => one.payload === payload);
}

fault("A message right behind on(): it is queued without being told to", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await scene.open(stage);
    await thor.do((me) => {
      me.room = me.open("a");
      me.room.message("first");
    });
    await thor.until("join");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return stage.payloads();
  },
  theirs: ["fence"],
  ours: ["first", "fence"],
});

fault("A channel that comes to an open connection: it joins once, and hears that it is connected", {
  async story(scene) {
    const stage = await scene.stage();
    stage.silent = true;
    const thor = await scene.open(stage);
    await thor.do((me) => void me.open("a"));
    await thor.until("connection_status");
    await thor.do((me) => {
      me.late = [];
      me.room = me.client.channel("b").on(({ action, payload }) => me.late.push(payload.status ?? action));
      me.room.message("fence");
    });
    await waitFor(() => thor.do((me) => me.late.includes("message")), () => "the message comes back");
    return { joins: stage.channels("join").filter((name) => name === "b").length, heard: await thor.do((me) => me.late) };
  },
  theirs: { joins: 2, heard: ["message"] },
  ours: { joins: 1, heard: ["connected", "message"] },
});

fault("Listeners for errors: every kind is called", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => {
      me.kinds = [];
      const hears = (kind) => ({ action }) => action === "error" && me.kinds.push(kind);
      me.room.on(() => {}, hears("on(f, onError)"));
      me.room.on("error", () => {}, hears('on("error", f, onError)'));
      me.room.on("error", hears('on("error", f)'));
      me.room.on("message", () => {}, hears('on("message", f, onError)'));
    });
    stage.say({ action: "error", options: { channel: "a" }, payload: { message: "no" } });
    await fence(stage, thor);
    return thor.do((me) => me.kinds);
  },
  theirs: ["on(f, onError)", 'on("error", f, onError)'],
  ours: ["on(f, onError)", 'on("error", f, onError)', 'on("error", f)', 'on("message", f, onError)'],
});

fault("An error that no listener takes: the developer is told", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await scene.open(stage);
    await thor.do((me) => void me.client.channel("a").on((action) => me.heard.push({ ...action, keys: [] })));
    await thor.until("join");
    stage.say({ action: "error", options: { channel: "a" }, payload: { message: "no" } });
    await fence(stage, thor);
    return (await thor.do((me) => me.console)).filter((line) => /an error came and no listener takes it/.test(line)).length;
  },
  theirs: 0,
  ours: 1,
});

fault("A listener that throws: the others hear all the same, and what it threw is told", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => {
      me.calls = [];
      me.client.channel("b").on("event", () => {
        throw new Error("of the listener");
      });
      me.client.channel("c").on("event", () => me.calls.push("c"));
    });
    await waitFor(() => stage.channels("join").length >= 3, () => "all join");
    stage.say({ action: "event", payload: { data: 1 } });
    await fence(stage, thor);
    const told = (await thor.do((me) => me.console)).filter((line) => /of the listener/.test(line)).length;
    return { calls: await thor.do((me) => me.calls), told };
  },
  theirs: { calls: [], told: 0 },
  ours: { calls: ["c"], told: 1 },
});

fault("A frame that is none: the developer is told", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    for (const junk of ["junk", 1, null]) stage.say(junk);
    await fence(stage, thor);
    return (await thor.do((me) => me.console)).filter((line) => /something that is no frame/.test(line)).length;
  },
  theirs: 0,
  ours: 1,
});

fault("A roster without a channel: it is nobody's", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { presence: true });
    await thor.do((me) => void (me.other = me.open("b", { presence: true })));
    stage.say({ action: "presence_full", options: {}, payload: { presence: [someone("x")] } });
    await fence(stage, thor);
    return thor.do((me) => [me.room, me.other].map((room) => room.getPresence().length));
  },
  theirs: [1, 1],
  ours: [0, 0],
});

fault("Who is here: nobody twice, nobody without a connection, and nobody from before", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { presence: true });
    await thor.do((me) => void (me.other = me.open("b")));
    const count = () => thor.do((me) => me.room.getPresence().length);
    const join = (name) => stage.say({ action: "presence_update", options: { channel: "a" }, payload: { action: "join", presence: someone(name) } });
    stage.say({ action: "presence_full", options: { channel: "a" }, payload: { presence: [someone("x")] } });
    join("x");
    await fence(stage, thor);
    const twice = await count();
    join("y");
    await waitFor(async () => (await count()) === twice + 1, () => "y is here");
    // The other channel keeps the connection.
    await thor.do((me) => {
      me.room.destroy();
      me.room = me.open("a", { presence: true });
    });
    const before = await count();
    join("z");
    await waitFor(async () => (await count()) > before, () => "z is here");
    stage.kick(1012);
    await thor.until("connection_status", (one) => one.payload.status === "disconnected");
    return { twice, before, without: (await count()) > 0 };
  },
  theirs: { twice: 2, before: 1, without: true },
  ours: { twice: 1, before: 0, without: false },
});

fault("A roster that is none: it is warned about, and what comes next counts", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { presence: true });
    stage.say({ action: "presence_full", options: { channel: "a" }, payload: { presence: null } });
    await fence(stage, thor);
    return (await thor.do((me) => me.console)).length;
  },
  theirs: 0,
  ours: 1,
});

fault("A member: it can be turned into JSON", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { presence: true });
    stage.say({ action: "presence_full", options: { channel: "a" }, payload: { presence: [someone("x")] } });
    await thor.untilPresent(1);
    return thor.do((me) => {
      try {
        return JSON.parse(JSON.stringify(me.room.getPresence()));
      } catch ({ name }) {
        return name;
      }
    });
  },
  theirs: "TypeError",
  ours: [someone("x")],
});

fault("Two objects of one name: destroying one leaves the other in the channel", {
  async story(scene) {
    const server = await scene.server();
    const thor = await (await scene.open(server)).joins("all/shared");
    await thor.do((me) => me.open("all/shared").destroy());
    await thor.do((me) => me.room.message("still here"));
    const came = async () => (await thor.heard("message")).length + (await thor.errors()).length > 0;
    await waitFor(came, () => "the message comes back, or an error");
    return { left: (await thor.sent()).some((text) => /"leave"/.test(text)), errors: (await thor.errors()).map(({ payload }) => payload.code) };
  },
  theirs: { left: true, errors: ["not_joined"] },
  ours: { left: false, errors: [] },
});

fault("A channel without listeners: it is joined again after a reconnect", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => {
      me.quiet = me.client.channel("quiet");
      me.quiet.message("one");
    });
    await waitFor(() => stage.payloads().length === 1, () => "the message comes");
    stage.frames.splice(0);
    stage.kick(1012);
    await waitFor(() => stage.channels("join").includes("a"), () => "it comes back");
    await thor.do((me) => me.quiet.message("two"));
    await waitFor(() => stage.payloads().length === 1, () => "the message comes");
    return stage.channels("join").includes("quiet");
  },
  theirs: false,
  ours: true,
});

fault("A channel without listeners, created before there is a connection: it joins as well", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await scene.open(stage);
    await thor.do((me) => {
      me.quiet = me.client.channel("quiet");
      me.quiet.message("one");
    });
    await thor.joins("a");
    await thor.do((me) => me.quiet.message("two"));
    await waitFor(() => stage.payloads().includes("two"), () => "the message comes");
    return { joined: stage.channels("join").includes("quiet"), sent: stage.payloads() };
  },
  theirs: { joined: false, sent: ["two"] },
  ours: { joined: true, sent: ["one", "two"] },
});

fault("off(): there is one, and what was listened with is not called any more", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => {
      me.taken = [];
      const listener = ({ payload }) => me.taken.push(payload);
      me.room.on("event", listener);
      me.room.off?.("event", listener);
    });
    stage.say({ action: "event", options: { channel: "a" }, payload: 1 });
    await fence(stage, thor);
    return thor.do((me) => me.taken);
  },
  theirs: [1],
  ours: [],
});

fault("history() while connecting: it does not throw, and is sent later", {
  async story(scene) {
    const stage = await scene.stage();
    stage.hold();
    const thor = await scene.open(stage);
    const thrown = await thor.do((me) => {
      me.room = me.open("a");
      return me.thrown(() => me.room.history());
    });
    stage.admit();
    await thor.until("join");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return { thrown: thrown !== null, asked: stage.channels("history") };
  },
  theirs: { thrown: true, asked: [] },
  ours: { thrown: false, asked: ["a"] },
});

fault("A member's message() and history(): they take options, and survive a reconnect", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a", { presence: true, queueOfflineActions: true });
    stage.say({ action: "presence_full", options: { channel: "a" }, payload: { presence: [someone("x")] } });
    await thor.untilPresent(1);
    await thor.do((me) => {
      [me.member] = me.room.getPresence();
      me.member.message("now", { authenticated: true });
    });
    await waitFor(() => stage.payloads().length === 1, () => "the message comes");
    const { authenticated, socketId } = stage.frames.at(-1).options;
    stage.hold();
    stage.kick(1012);
    await waitFor(() => stage.upgrades.length === 2, () => "it comes back");
    const thrown = await thor.do((me) => [() => me.member.message("later"), () => me.member.history()].map((act) => me.thrown(act) !== null));
    stage.admit();
    await waitFor(() => stage.channels("join").length === 2, () => "it has joined again");
    await thor.do((me) => me.room.message("fence"));
    await waitFor(() => stage.payloads().includes("fence"), () => "the message comes");
    return { authenticated, socketId, thrown, sent: stage.payloads(), asked: stage.channels("history") };
  },
  theirs: { authenticated: undefined, socketId: "x", thrown: [true, true], sent: ["now", "fence"], asked: [] },
  ours: { authenticated: true, socketId: "x", thrown: [false, false], sent: ["now", "later", "fence"], asked: ["a"] },
});

fault("A channel destroyed by a listener: its neighbours hear nevertheless", {
  async story(scene) {
    const stage = await scene.stage();
    const thor = await (await scene.open(stage)).joins("a");
    await thor.do((me) => {
      me.told = [];
      for (const name of ["a", "b", "c"]) {
        const room = name === "a" ? me.room : me.open(name);
        room.on("event", () => {
          me.told.push(name);
          if (name === "a") room.destroy();
        });
      }
    });
    await waitFor(() => stage.channels("join").length === 3, () => "all join");
    stage.say({ action: "event", payload: { data: 1 } });
    await waitFor(() => thor.do((me) => me.told.includes("c")), () => "the last one hears");
    return thor.do((me) => me.told);
  },
  theirs: ["a", "c"],
  ours: ["a", "b", "c"],
});

fault("The history: it does not come again where nothing was missed, and entries have numbers", {
  async story(scene) {
    const server = await scene.server();
    const thor = await (await scene.open(server)).joins("all/replay", { history: true });
    await thor.do((me) => ["one", "two"].forEach((text) => me.room.message(text)));
    await thor.until("message", ({ payload }) => payload === "two");
    await thor.do((me) => void me.client.realtimeReconnect());
    await waitFor(async () => (await thor.heard("join")).length === 2, () => "it has joined again");
    await thor.do((me) => me.room.message("fence"));
    const last = await thor.until("message", ({ payload }) => payload === "fence");
    const again = (await thor.heard("history")).slice(1).flatMap(({ payload }) => payload.history.map((entry) => entry.payload));
    return { again, keys: last.keys.filter((key) => ["id", "seq", "ts"].includes(key)) };
  },
  theirs: { again: ["one", "two"], keys: [] },
  ours: { again: [], keys: ["id", "ts", "seq"] },
});

fault("message(): it promises a receipt, and a refusal reaches who sent", {
  async story(scene) {
    const server = await scene.server();
    const thor = await (await scene.open(server)).joins("all/receipts");
    return thor.do(async (me) => {
      const kept = await me.room.message("hello");
      const refused = await Promise.resolve(me.room.message("hello", { socketId: "nobody" })).catch(({ code }) => code);
      return { kept: kept && typeof kept.seq, refused };
    });
  },
  theirs: { kept: undefined, refused: undefined },
  ours: { kept: "number", refused: "recipient_not_found" },
});
