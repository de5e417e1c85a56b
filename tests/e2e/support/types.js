import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const COMPILER = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));
const OPTIONS = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", ""];

/** Compiles the files of a folder the way a strict application does; fails with what the compiler says. */
export async function typeCheck(folder, files, options = []) {
  const paths = files.map((file) => join(folder, file));
  const compiling = promisify(execFile)(process.execPath, [COMPILER, ...OPTIONS, ...options, ...paths]);
  await compiling.catch(({ stdout }) => assert.fail(stdout));
}
