import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { Validator } from "@seriousme/openapi-schema-validator";

import { Api, OPEN } from "./metadata/api.js";
import { channels } from "./metadata/channels.js";
import { events } from "./metadata/events.js";
import { keys } from "./metadata/keys.js";
import { settings } from "./metadata/settings.js";
import { tokens } from "./metadata/tokens.js";
import { triggers } from "./metadata/triggers.js";

describe("the Metadata API", () => {
  const context = {};

  before(async () => {
    context.api = await Api.start();
  });
  after(() => context.api?.dispose());
  beforeEach(() => context.api.ok("PUT", "", { enabled: true, channels: [OPEN] }));

  describe("settings", () => settings(context));
  describe("channels", () => channels(context));
  describe("triggers", () => triggers(context));
  describe("events", () => events(context));
  describe("signing keys", () => keys(context));
  describe("access tokens", () => tokens(context));

  describe("addresses", () => {
    test("a method that is not there is answered with those that are", async () => {
      const { api } = context;
      for (const { path, item } of new Map(api.contract.operations.map((operation) => [operation.path, operation])).values()) {
        const address = path.replace("{workspace_id}", "1").replace(/{\w+}/, "1");
        for (const method of ["GET", "PUT", "POST", "PATCH", "DELETE"].filter((one) => !item[one.toLowerCase()])) {
          assert.equal((await api.askAnywhere(method, address)).status, 405, `${method} ${address}`);
        }
      }
    });

    test("what is nowhere is not found", async () => {
      const { api } = context;
      await api.refused(404, /no such address/, "GET", "/nowhere");
      await api.refused(404, /no such address/, "GET", "//");
      await api.refused(400, /must be a whole number/, "GET", "/channel/first");
      const answer = await api.askAnywhere("GET", "/workspace/2/table", undefined);
      assert.match(answer.body.message, /what there is starts with \/api:meta\/workspace\/1\/realtime/);
    });

    test("a slash at the end leads to the address without it", async () => {
      const { api } = context;
      const get = (path) => api.askAnywhere("GET", `/workspace/1/realtime${path}`);
      const url = `${api.server.origin}/api:meta/workspace/1/realtime`;
      const headers = { authorization: `Bearer ${api.server.adminToken}`, "content-type": "application/json" };
      for (const path of ["/", "/channel/"]) {
        const moved = await fetch(`${url}${path}?page=1`, { headers, redirect: "manual" });
        assert.deepEqual([moved.status, moved.headers.get("location")], [308, `/api:meta/workspace/1/realtime${path.slice(0, -1)}?page=1`]);
      }
      const pushed = await fetch(`${url}/event/`, { method: "POST", headers, body: JSON.stringify({ channel: "open", data: 1 }) });
      assert.deepEqual(await pushed.json(), { delivered_local: 0 });
      assert.equal((await get("/channel")).status, 200);
    });

    test("a body of another type, or too large a one, is refused", async () => {
      const { api } = context;
      for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/jsonp"]) {
        for (const [method, path] of [["PUT", ""], ["POST", "/event"], ["POST", "/token"], ["POST", "/channel"]]) {
          await api.refused(415, /the Content-Type must be application\/json/, method, path, "enabled=true", { type });
        }
      }
      await api.refused(415, /application\/json or text\/x-xanoscript/, "POST", "/channel", "x", { type: "text/xml" });
      await api.refused(415, /must be application\/json$/, "PUT", "", "realtime_channel a {}", { type: "text/x-xanoscript" });
      const trigger = "realtime_trigger a {\n  stack {}\n}";
      await api.refused(400, /triggers are webhooks/, "PUT", "", trigger, { type: "text/x-xanoscript" });
      const large = { channels: [{ ...OPEN, description: "x".repeat(2 ** 20) }] };
      await api.refused(413, /4 MiB for events, 1 MiB elsewhere/, "PUT", "", large);
      await api.refused(413, /4 MiB for events/, "POST", "/event", { channel: "open", data: "x".repeat(2 ** 22) });
    });
  });

  describe("its document", () => {
    test("is OpenAPI 3.1", async () => {
      const validator = new Validator();
      const { valid, errors } = await validator.validate(structuredClone(context.api.document));
      assert.ok(valid, JSON.stringify(errors));
      assert.equal(validator.version, "3.1");
    });

    test("has examples that are what they are examples of", () => {
      const { contract, document } = context.api;
      let checked = 0;
      const walk = (value, path) => {
        if (value === null || typeof value !== "object") return;
        for (const [type, content] of Object.entries(value.content ?? {})) {
          if (!content.schema) continue;
          const examples = [content.example, ...Object.values(content.examples ?? {}).map((example) => example.value)];
          for (const example of examples.filter((one) => one !== undefined)) {
            assert.deepEqual(contract.faults(content.schema, example, { closed: true }), [], `${path} ${type}`);
            checked += 1;
          }
        }
        for (const [key, inner] of Object.entries(value)) walk(inner, `${path}/${key}`);
      };
      walk(document, "");
      assert.ok(checked > 40, `${checked} examples`);
    });

    test("says of every operation who may do it, what may come back, and what may go wrong", () => {
      const names = new Set();
      for (const operation of context.api.contract.operations) {
        const { path, method, operationId, summary, security, responses, requestBody } = operation;
        const told = `${method} ${path}`;
        assert.ok(operationId && summary && !names.has(operationId), told);
        names.add(operationId);
        const expected = security.length ? ["200", "400", "401", "403", "500"] : ["200"];
        if (requestBody) expected.push("413", "415");
        for (const status of expected) assert.ok(responses[status], `${told} may be answered with ${status}`);
        if (!requestBody) continue;
        for (const [type, content] of Object.entries(requestBody.content)) {
          assert.ok(content.example ?? content.examples, `${told} has an example of ${type}`);
        }
      }
    });

    test("has no operation that these tests have not carried out", async () => {
      const { contract } = context.api;
      await context.api.askAnywhere("GET", "/openapi.json", undefined, { token: null });
      const missing = contract.operations
        .map(({ method, path }) => `${method} ${path}`)
        .filter((operation) => !contract.carriedOut.has(operation));
      assert.deepEqual(missing, []);
    });
  });
});
