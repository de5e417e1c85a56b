import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";

import { Case } from "./case.js";

const folder = new URL("cases/", import.meta.url);
const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".txt")).sort();
const cases = await Promise.all(files.map((file) => Case.read(new URL(file, folder), `cases/${file}`)));

/** The contract's rows, by section; a case names those it shows in its line \`covers\`. */
const ROWS = [
  ...["join", "message", "message-authenticated", "message-socketId", "client-message", "history", "client-history", "leave"]
    .map((row) => `1.3.${row}`),
  ...["message", "event", "history", "error", "presence_full", "presence_update", "join", "leave", "connection_status"]
    .map((row) => `1.4.${row}`),
  ...["rule-channel", "rule-own-join"].map((row) => `1.4.${row}`),
  ...["join-A", "join-N", "message-A", "message-N", "authenticated-A", "authenticated-N", "private-A", "private-N"]
    .map((row) => `2.3.${row}`),
  ...["history", "presence_full", "presence_update", "event"].map((row) => `2.3.${row}`),
  ...Array.from({ length: 42 }, (_, index) => `12.${index + 1}`),
];

/** Rows without a case, and why. Whoever adds a case takes its row out of here. */
const WITHOUT_CASE = new Map([
  ["12.39", "needs several nodes; crates/server/tests/engine.rs holds the order on one"],
]);

describe("the contract", () => {
  test("has a case for every row, or a reason why not", () => {
    const covered = new Set(cases.flatMap((one) => one.covers));
    assert.deepEqual([...covered].filter((row) => !ROWS.includes(row)), [], "cases name rows that do not exist");
    assert.deepEqual(ROWS.filter((row) => !covered.has(row) && !WITHOUT_CASE.has(row)), [], "rows have no case");
    assert.deepEqual([...WITHOUT_CASE.keys()].filter((row) => covered.has(row)), [], "rows have a case by now");
  });

  describe("holds", { concurrency: 4 }, () => {
    for (const [index, file] of files.entries()) {
      test(`${file}: ${cases[index].claim}`, () => cases[index].play());
    }
  });
});

describe("a case that does not hold", () => {
  const HEAD = "A claim.\n\ncovers 1.3.join\nchannel {\"pattern\":\"room\",\"anonymous_clients\":true,\"presence\":true}\n\n";
  const check = async (transcript, fault) => {
    await assert.rejects(Case.parse("cases/x.txt", HEAD + transcript).play(), ({ message }) => {
      assert.match(message, fault);
      return true;
    });
  };

  test("is told with its file, its line, what was to come and what came", async () => {
    await check(`A joins room\nA> {"action":"ping"}\nA< {"action":"pang"}\n`, /^cases\/x.txt: line 8: the frame's action is "pong"/);
    await check(`A> {"action":"ping"}\nA< {"action":"pang"}\n`, /this came: .*pong[^]*the line is: A< {"action":"pang"}/);
    await check(`A> {"action":"ping"}\nA< {"action":"pong","more":1}\n`, /the frame has the keys \["action"\], not \["action","more"\]/);
    await check(`A joins room\nA joins nowhere\n`, /line 7: the frame's action is "error"/);
    await check(`A> {"action":"ping"}\nA< close 1000\n`, /line 7: .*this came: .*pong/);
    await check(`A< protocol x\n`, /the sub-protocol is ""/);
    await check(`A> dance\n`, /line 6: a client cannot send this/);
    await check(`B says hello\n`, /line 6: no such line is known/);
  });

  test("cannot leave anything unread", async () => {
    await check(`A> {"action":"ping"}\n`, /A read more than the transcript says/);
    await check(`A> {"action":"ping"}\nA< nothing\n`, /line 7: A read more/);
  });

  test("finds a value that changes, or is of another kind", async () => {
    await check(`A joins room\nB joins room\nA> {"action":"dance"}\nA< {"action":"error","options":{},"client":null,"payload":"<A>"}\n`, /<A> was/);
    await check(`A> {"action":"ping"}\nA< {"action":"<_: number>"}\n`, /is "pong", no number/);
    await check(`A> {"action":"<nobody>"}\n`, /nothing that was read is called <nobody>/);
    await check(`A> {"action":"ping"}\nA> {"action":"dance"}\nA<~ {"action":"pong"}\nA<~ {"action":"pong"}\n`, /line 8: the frames do not fit these 2 lines/);
  });

  test("cannot leave a question of a trigger unread, or take another for it", async () => {
    const hook = 'serve --trigger-timeout 1s\nhook H {"channel":"room","actions":{"message":true}}\n\n';
    const head = HEAD.replace(/}\n\n$/, `,"client_public_messaging":true}\n${hook}`);
    const message = (payload) => `A> {"action":"message","options":{"channel":"room"},"payload":${payload}}\n`;
    const check = (transcript, fault) => assert.rejects(Case.parse("cases/x.txt", `${head}A joins room\n${transcript}`).play(), fault);
    await check(`${message(1)}H< {"action":"join"}\n`, /line 10: the question has the keys/);
    await check(`${message(1)}H< "<_>"\nH> false\nA< "<_>"\nH> null\n`, /line 13: there is no question to answer/);
    await check(`${message(1)}A< has trigger_failed\n`, /H was asked more than the transcript says/);
    await check(`H joins room\n`, /line 9: a webhook does not do this/);
  });

  test("is told with the line that does not hold among those that are repeated", async () => {
    const ping = '  A> {"action":"ping"}\n';
    await check(`2 times\n${ping}  A< {"action":"pang<#>"}\n`, /line 8: [^]*the line is: A< {"action":"pang1"}$/);
    await check(`A joins room\nrepeat until A< {"action":"pang"}\n${ping}`, /line 7: it has not come in 1000 rounds/);
    await check(`often\n${ping}`, /line 6: nothing plays these lines/);
  });

  test("hears the end of a connection that was never one of WebSocket", async () => {
    const head = HEAD.replace("covers", "serve --handshake-timeout 1s\ncovers");
    const fault = /line 8: this came: {"end":true}/;
    await assert.rejects(Case.parse("cases/x.txt", `${head}A dials\nA< close 1000\n`).play(), fault);
  });

  test("sees who is let in and who is not", async () => {
    await check("A is refused 403 anything\n", /line 6: A was let in/);
    const head = HEAD.replace("covers", 'client A {"path":"/nowhere"}\ncovers');
    const play = (line) => Case.parse("cases/x.txt", `${head}${line}\n`).play();
    await assert.rejects(play("A opens"), /line 7: the handshake is answered with 404/);
    await assert.rejects(play("A is refused 403 x"), /line 7: this came: {"status":404/);
    await assert.rejects(play("A is refused 404 xyz"), /line 7: this came: {"status":404/);
  });

  test("can ask for a server with other options", async () => {
    const head = HEAD.replace("covers", "serve --threads 1\ncovers");
    await Case.parse("cases/x.txt", `${head}A joins room\n`).play();
    const wrong = HEAD.replace("covers", "serve --threads none\ncovers");
    await assert.rejects(Case.parse("cases/x.txt", `${wrong}A joins room\n`).play(), /^Error: cases\/x.txt: the server ended with code 2/);
  });

  test("has a head that says what it covers", () => {
    assert.throws(() => Case.parse("cases/x.txt", "A claim.\n\nchannel {}\n\n"), /cases\/x.txt: a line `covers`/);
    assert.throws(() => Case.parse("cases/x.txt", "A claim.\n\ncovers 1\nchanel {}\n\n"), /x.txt: line 4: a head has lines/);
    assert.throws(() => Case.parse("cases/x.txt", "no sentence\n\ncovers 1\n\n"), /x.txt: a case is a sentence/);
  });
});
