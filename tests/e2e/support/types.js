import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const compiler = (folder) => fileURLToPath(new URL(`../../../${folder}/typescript/bin/tsc`, import.meta.url));
/** The native compiler, and the last one that is written in TypeScript. */
const COMPILERS = [compiler("node_modules"), compiler("tools/api-page/node_modules")];
const OPTIONS = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"];

/** Compiles the files of a folder the way a strict application does; fails with what a compiler says. */
export async function typeCheck(folder, files, options = []) {
  const paths = files.map((file) => join(folder, file));
  for (const path of COMPILERS) {
    const compiling = promisify(execFile)(process.execPath, [path, ...OPTIONS, ...options, ...paths]);
    await compiling.catch(({ stdout }) => assert.fail(stdout));
  }
}
