import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { Server } from "../e2e/support/server.js";
import { play } from "./transcript.js";

const page = await readFile(new URL("../../PROTOCOL.md", import.meta.url), "utf8");
const sections = page.split(/^(?=#{2,3} )/m).map((text) => ({ title: text.split("\n", 1)[0].replace(/^#+ /, ""), text }));

describe("PROTOCOL.md is what the server does", () => {
  const blocks = sections.flatMap(({ title, text }) =>
    [...text.matchAll(/^```transcript\n(.*?)^```/gms)].map(([, transcript]) => ({ title, transcript })),
  );

  test("it has an example of every action a client sends", () => {
    const sent = new Set(blocks.flatMap(({ transcript }) => [...transcript.matchAll(/> {"action":"(\w+)"/g)].map((m) => m[1])));
    for (const action of ["join", "leave", "message", "history", "ping"]) assert.ok(sent.has(action), action);
  });

  for (const { title, transcript } of blocks) {
    test(title, async (t) => {
      const server = await Server.start();
      t.after(() => server.dispose());
      await play(transcript, `${server.origin.replace("http", "ws")}/rt/${server.hash}`);
    });
  }
});
