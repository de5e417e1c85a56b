import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { Case } from "./case.js";

const page = await readFile(new URL("../../PROTOCOL.md", import.meta.url), "utf8");
const source = await readFile(new URL("../../crates/protocol/src/message.rs", import.meta.url), "utf8");
const examples = examplesOf(page);
/** What the servers have counted while the examples were played: of each metric, by its label. */
const counted = { xano_limit_reached_total: new Map(), xano_errors_total: new Map(), xano_closes_total: new Map() };

describe("PROTOCOL.md is what the server does", () => {
  describe("in its examples", { concurrency: 4 }, () => {
    for (const example of examples) {
      test(`${example.title}, line ${example.line}`, () => example.case.play((server) => count(server, example)));
    }
  });

  // What there is to show is what the server itself says that it counts.
  test("it has an example of every error code the server sends", () => {
    const shown = (code) => examples.some(({ text }) => text.includes(`"code":"${code}"`));
    assert.deepEqual(namesIn("xano_errors_total").filter((code) => !shown(code)), []);
    assert.deepEqual(missing("xano_errors_total"), []);
  });

  test("it has an example of every code the server closes connections with", () => {
    const shown = (code) => examples.some(({ text }) => new RegExp(`^\\w+< (at last )?close ${code}$`, "m").test(text));
    assert.deepEqual(namesIn("xano_closes_total").filter((code) => !shown(code)), []);
  });

  test("it has an example of every limit, which is named in front of it and reached in it", () => {
    const shown = (limit) => examples.some(({ about, reached }) => about.includes(`\`${limit}\``) && reached.has(limit));
    assert.deepEqual(namesIn("xano_limit_reached_total").filter((limit) => !shown(limit)), []);
  });

  test("it has an example of every limit that nobody counts, which is called there as in the table", () => {
    const rows = page.slice(page.indexOf("\n## Limits\n")).matchAll(/^\| (.+?) \| .+? \| (.*?) ?\| .+ \|$/gm);
    const uncounted = [...rows].filter(([, , name]) => name === "").map(([, what]) => what);
    const shown = (what) => examples.some(({ about }) => about.toLowerCase().startsWith(`${what}:`));
    assert.ok(uncounted.length > 0, "the table has such limits");
    assert.deepEqual(uncounted.filter((what) => !shown(what)), []);
  });

  test("it has an example of every frame, both ways", () => {
    const frames = examples.flatMap(({ text }) => [...text.matchAll(/^ *(?!H)\S+([<>])~? .*?"action":"(\w+)"/gm)]);
    const shown = (sign) => new Set(frames.filter((frame) => frame[1] === sign).map((frame) => frame[2]));
    const [sent, read] = [shown(">"), shown("<")];
    assert.deepEqual(variants("Action").filter((action) => !sent.has(action) && !read.has(action)), []);
    for (const action of ["join", "leave", "message", "history"]) assert.ok(sent.has(action) && read.has(action), action);
  });

  test("it has an example of every reason why a client cannot resume", () => {
    const shown = (reason) => examples.some(({ text }) => text.includes(`"resumed":false,"reason":"${reason}"`));
    assert.deepEqual(variants("ResumeRefusal").filter((reason) => !shown(reason)), []);
  });
});

/**
 * The page's examples, as cases: `transcript` is played in the channels of the demo, `case` has a head. Each
 * with the heading above it and the paragraph in front of it.
 */
function examplesOf(page) {
  return [...page.matchAll(/^```(transcript|case)\n(.*?)^```$/gms)].map((found) => {
    const [, kind, text] = found;
    const before = page.slice(0, found.index);
    const line = before.split("\n").length + 1;
    return {
      title: /.*^#{2,3} (.*?)$/ms.exec(before)[1],
      about: before.trimEnd().split("\n\n").at(-1),
      text,
      line,
      reached: new Set(),
      case: kind === "case" ? Case.example("PROTOCOL.md", text, line) : Case.demo("PROTOCOL.md", text, line),
    };
  });
}

/** Adds what a server has counted, and notes which limits its example has reached. */
async function count(server, { reached }) {
  for (const [, metric, label, value] of (await server.metrics()).matchAll(/^(\w+){\w+="(\w+)".*} (\d+)$/gm)) {
    counted[metric]?.set(label, (counted[metric].get(label) ?? 0) + Number(value));
    if (metric === "xano_limit_reached_total" && value !== "0") reached.add(label);
  }
}

function namesIn(metric) {
  const names = [...counted[metric].keys()];
  assert.ok(names.length > 0, "the examples have to be played before");
  return names;
}

/** What no server has counted. */
const missing = (metric) => namesIn(metric).filter((name) => counted[metric].get(name) === 0);

/** The variants of one of the protocol's enums as the wire has them, but those that never are on it. */
function variants(name) {
  const [, body] = new RegExp(`pub enum ${name} {(.*?)^}`, "ms").exec(source);
  const found = [...body.matchAll(/\/\/\/ (.*)\n +(\w+),/g)].filter(([, comment]) => !comment.includes("never on the wire"));
  assert.ok(found.length > 0, `${name} has variants`);
  return found.map(([, , variant]) => variant.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase());
}
