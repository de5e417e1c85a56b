// Draws a profile: `perf script | node tools/flamegraph.js "What ran" > profile.svg`.
//
// Width is the share of the samples, the callee is above its caller, and what is narrower than a third of
// a per cent is left out. It is a still picture: a browser shows names in full under the pointer.
import { readFileSync } from "node:fs";

const WIDTH = 1200;
const ROW = 16;
const LEAST = 1 / 300;

const title = process.argv[2] ?? "profile";
const root = { name: "all", count: 0, children: new Map() };

for (const sample of readFileSync(0, "utf8").split("\n\n")) {
  const [head, ...lines] = sample.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (head === undefined || lines.length === 0) continue;
  const frames = lines.map(frame).reverse();
  let node = root;
  node.count += 1;
  for (const { name, kernel } of frames) {
    let next = node.children.get(name);
    if (next === undefined) {
      next = { name, kernel, count: 0, children: new Map() };
      node.children.set(name, next);
    }
    next.count += 1;
    node = next;
  }
}
if (root.count === 0) throw new Error("there is no sample with a stack on the standard input");

const cells = [];
let depth = 0;
place(root, 0, 0);
const height = (depth + 2) * ROW + 8;
process.stdout.write(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n` +
    `<text x="4" y="14" font-size="13">${escape(title)}: ${root.count} samples</text>\n` +
    cells.map((cell) => draw(cell, height)).join("") +
    "</svg>\n",
);

/** One line of a stack: address, name+offset, (object). */
function frame(line) {
  const [, text, object] = /^\s*[0-9a-f]+\s+(.*?)\s+\(([^()]*(?:\([^()]*\))?)\)$/.exec(line) ?? [, line.trim(), ""];
  const name = text
    .replace(/\+0x[0-9a-f]+$/, "")
    .replace(/::h[0-9a-f]{16}$/, "")
    .replace(/^\[unknown\]$/, `[${object.split("/").pop()}]`);
  return { name, kernel: /kernel|vmlinux/.test(object) };
}

function place(node, x, row) {
  const width = node.count / root.count;
  if (width < LEAST) return;
  cells.push({ node, x, width, row });
  depth = Math.max(depth, row);
  let at = x;
  const children = [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const child of children) {
    place(child, at, row + 1);
    at += child.count / root.count;
  }
}

function draw({ node, x, width, row }, height) {
  const [left, wide] = [x * WIDTH, width * WIDTH];
  const top = height - (row + 1) * ROW - 4;
  const share = `${(width * 100).toFixed(1)} %`;
  const room = Math.floor((wide - 4) / 6.7);
  const short = node.name.length > room ? `${node.name.slice(0, room - 1)}…` : node.name;
  const label = room < 3 ? "" : `<text x="${(left + 2).toFixed(1)}" y="${top + 12}">${escape(short)}</text>`;
  const colour = node.kernel ? "#bcd3ea" : "#f6c98b";
  return (
    `<g><title>${escape(node.name)} ${share}</title>` +
    `<rect x="${left.toFixed(1)}" y="${top}" width="${wide.toFixed(1)}" height="${ROW - 1}" fill="${colour}"/>${label}</g>\n`
  );
}

function escape(text) {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
}
