import assert from "node:assert/strict";

import { Ajv2020 } from "ajv/dist/2020.js";

const METHODS = ["get", "put", "post", "delete", "patch"];

/** An OpenAPI document as a judge of requests and answers. */
export class Contract {
  #document;
  #definitions;
  #paths;
  #ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, coerceTypes: false, strictTypes: false });
  #compiled = new Map();
  /** The operations that were carried out, as `GET /path`. */
  carriedOut = new Set();

  constructor(document) {
    this.#document = document;
    this.#definitions = { $defs: rewrite(document.components.schemas) };
    this.#paths = Object.keys(document.paths).map((path) => {
      const names = [...path.matchAll(/{(\w+)}/g)].map(([, name]) => name);
      const pattern = new RegExp(`^${path.replace(/{\w+}/g, "([^/]+)")}$`);
      return { path, names, pattern };
    });
    // What is spelt out comes before what is left open.
    this.#paths.sort((a, b) => a.names.length - b.names.length);
  }

  /** Every operation there is: its path, method, and what the document says of it. */
  get operations() {
    return Object.entries(this.#document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({ path, method: method.toUpperCase(), item, ...item[method] })),
    );
  }

  /** Checks that an answer is one of those that the document has for the request. */
  check(request, answer) {
    const told = `${request.method} ${request.path} is answered with ${answer.status} ${JSON.stringify(answer.body)}`;
    if (answer.status === 401) return this.#checkAnswer(this.#document.components.responses.Unauthorized, answer, told);
    const found = this.#find(request.path.split("?")[0]);
    if (!found) {
      assert.equal(answer.status, 404, `the document has no such address: ${told}`);
      return this.#checkAnswer(this.#document.components.responses.NotFound, answer, told);
    }
    const item = this.#document.paths[found.path];
    const operation = item[request.method.toLowerCase()];
    if (!operation) {
      assert.equal(answer.status, 405, `the document has no such method: ${told}`);
      const methods = METHODS.filter((method) => item[method]).map((method) => method.toUpperCase());
      const allowed = answer.headers.get("allow").split(",").map((method) => method.trim());
      assert.deepEqual(allowed.filter((method) => method !== "HEAD").sort(), methods.sort(), told);
      return this.#checkAnswer(this.#document.components.responses.MethodNotAllowed, answer, told);
    }
    const response = operation.responses[answer.status];
    assert.ok(response, `the document has no such status: ${told}`);
    this.#checkAnswer(this.resolve(response), answer, told);
    const faults = this.#faults(request, { found, item, operation });
    if (answer.status < 300) {
      assert.deepEqual(faults, [], `the document does not allow what was carried out: ${told}`);
      this.carriedOut.add(`${request.method} ${found.path}`);
    }
    return faults;
  }

  /** What a `$ref` stands for; anything else stands for itself. */
  resolve(value) {
    if (!value?.$ref) return value;
    return value.$ref.slice(2).split("/").reduce((inner, key) => inner[key], this.#document);
  }

  /** What is wrong with a value; with `closed`, a key that is not described is. */
  faults(schema, value, { closed = false } = {}) {
    const key = JSON.stringify([schema, closed]);
    if (!this.#compiled.has(key)) {
      const whole = { ...rewrite(schema), ...this.#definitions };
      this.#compiled.set(key, this.#ajv.compile(closed ? close(whole) : whole));
    }
    const validate = this.#compiled.get(key);
    return validate(value) ? [] : validate.errors.map((error) => `${error.instancePath || "it"} ${error.message}`);
  }

  #find(path) {
    const at = this.#paths.find(({ pattern }) => pattern.test(path));
    if (!at) return undefined;
    const values = at.pattern.exec(path).slice(1);
    return { path: at.path, values: new Map(at.names.map((name, index) => [name, values[index]])) };
  }

  #checkAnswer(response, answer, told) {
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      if (header.required || name === "WWW-Authenticate") assert.ok(answer.headers.has(name), `${name} is missing: ${told}`);
    }
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/, told);
    const { schema } = response.content["application/json"];
    assert.deepEqual(this.faults(schema, answer.body, { closed: true }), [], told);
  }

  /** What the document does not allow in a request. */
  #faults(request, { found, item, operation }) {
    const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => this.resolve(one));
    const query = new URLSearchParams(request.path.split("?")[1]);
    const given = [...found.values, ...query].flatMap(([name, value]) => {
      const parameter = parameters.find((one) => one.name === name);
      return parameter ? this.faults(parameter.schema, coerced(value, parameter.schema)).map((fault) => `${name}: ${fault}`) : [`${name} is unknown`];
    });
    if (!operation.requestBody) return given;
    const type = request.type?.split(";")[0];
    const content = operation.requestBody.content[type];
    if (!content) return [...given, `the type is ${type}`];
    try {
      const body = type === "application/json" ? JSON.parse(request.body) : request.body;
      return [...given, ...this.faults(content.schema, body)];
    } catch (error) {
      return [...given, error.message];
    }
  }
}

/** Text from an address as the value that it writes. */
function coerced(text, schema) {
  const isNumber = schema.type === "integer" || typeof schema.const === "number";
  if (isNumber && /^\d+$/.test(text)) return Number(text);
  if (schema.type === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  return text;
}

/** The same with references to where the definitions are for the validator. */
function rewrite(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/"));
}

/** The same without room for keys that are not described. */
function close(schema) {
  if (Array.isArray(schema)) return schema.map(close);
  if (schema === null || typeof schema !== "object") return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, inner]) => [key, close(inner)]));
  const isObject = schema.type === "object" && schema.properties;
  return isObject ? { additionalProperties: false, ...closed } : closed;
}
