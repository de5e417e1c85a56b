import { deepStrictEqual } from "node:assert/strict";

/**
 * What a frame must look like. `"<name>"` stands for any value, and for the same one wherever it
 * comes again; `"<name: number>"`, `"<name: string>"` and `"<name: /expression/>"` say of which
 * kind; `"<_>"` stands for a value that nobody asks for again.
 */
export class Mismatch extends Error {}

/** Checks a value, keys in their order too, and keeps what the placeholders stand for in `values`. */
export function match(actual, expected, values, where = "the frame") {
  const placeholder = parsePlaceholder(expected);
  if (placeholder) {
    bind(actual, placeholder, values, where);
  } else if (expected === null || typeof expected !== "object") {
    if (!Object.is(actual, expected)) throw new Mismatch(`${where} is ${show(actual)}`);
  } else if (actual === null || typeof actual !== "object" || Array.isArray(actual) !== Array.isArray(expected)) {
    throw new Mismatch(`${where} is ${show(actual)}`);
  } else {
    const [keys, wanted] = [Object.keys(actual), Object.keys(expected)];
    if (keys.join() !== wanted.join()) throw new Mismatch(`${where} has the keys ${show(keys)}, not ${show(wanted)}`);
    for (const key of wanted) match(actual[key], expected[key], values, `${where}'s ${key}`);
  }
}

/** Whether the values fit the patterns one to one, in whatever order. */
export function matchSet(actual, expected, values) {
  if (expected.length === 0) return new Map(values);
  const [first, ...rest] = expected;
  for (const [index, value] of actual.entries()) {
    const bound = new Map(values);
    try {
      match(value, first, bound);
    } catch (error) {
      if (error instanceof Mismatch) continue;
      throw error;
    }
    const others = matchSet(actual.toSpliced(index, 1), rest, bound);
    if (others) return others;
  }
  return undefined;
}

/** A text with the texts of some length in it that it only names, as `"<64 KiB>"`. */
export function expand(text) {
  return text.replace(/"<(\d+) KiB>"/g, (_, size) => `"${"x".repeat(size * 1024)}"`);
}

/** A text with the placeholders' values in their places, and otherwise byte for byte as it is. */
export function fill(text, values) {
  return expand(text).replace(/"<([^">]+)>"/g, (_, name) => {
    if (!values.has(name)) throw new Mismatch(`nothing that was read is called <${name}>`);
    return JSON.stringify(values.get(name));
  });
}

function parsePlaceholder(value) {
  return typeof value === "string" ? /^<([^>:]+)(?:: (.+))?>$/.exec(value) : undefined;
}

function bind(actual, [, name, kind], values, where) {
  if (kind !== undefined && !isKind(actual, kind)) throw new Mismatch(`${where} is ${show(actual)}, no ${kind}`);
  if (name === "_") return;
  if (!values.has(name)) return void values.set(name, actual);
  try {
    deepStrictEqual(actual, values.get(name));
  } catch {
    throw new Mismatch(`${where} is ${show(actual)}; <${name}> was ${show(values.get(name))}`);
  }
}

function isKind(value, kind) {
  if (kind.startsWith("/")) return typeof value === "string" && new RegExp(kind.slice(1, -1)).test(value);
  return typeof value === kind;
}

const show = (value) => JSON.stringify(value)?.slice(0, 500);
