import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * The sentences of a program: what its strings say that people may read. What stands for a value is `…`.
 * Tests, comments and what a developer tells `expect` are left out.
 */
export function sentences(name, source) {
  const texts = name.endsWith(".rs") ? rust(source) : javascript(source);
  return [...new Set(texts)].filter((text) => /^[A-Za-z<…].* .*[a-z]/.test(text));
}

/** All sources below a folder, by name. */
export async function sources(folder, pattern) {
  const files = new Map();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (pattern.test(entry)) files.set(entry, await readFile(join(folder, entry), "utf8"));
  }
  return files;
}

function rust(source) {
  const code = source
    .replace(/#\[cfg\((?:all\()?test[^]*/, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/#!?\[[^\]]*\]/g, "")
    .replace(/\.expect\(\s*"[^"]*"/g, "");
  return [...code.matchAll(/"((?:[^"\\]|\\[^])*)"/g)].map(([, text]) => text.replace(/\\\n\s*/g, "").replace(/\\"/g, '"'));
}

function javascript(source) {
  const code = source
    .replace(/^\s*(?:\/\/|\/?\*).*$/gm, "")
    .replace(/"\s*\+\s*"/g, "");
  // Whichever begins first: either may hold the other's mark.
  const strings = code.matchAll(/"((?:[^"\\\n]|\\.)*)"|`([^`]*)`/g);
  return [...strings].map(([, plain, template]) => plain ?? template.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…"));
}
