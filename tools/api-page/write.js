// Writes docs/api.md from the types.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Application, Comment, CommentTag, Converter, LogLevel, ReflectionKind } from "typedoc";

import { SECTIONS, place } from "./sections.js";
import { PageTheme } from "./theme.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PAGE = here("../../docs/api.md");

const BEGIN = `# API

<!-- Written by \`node tools/api-page/write.js\` from crates/sdk/js/index.d.ts and react.d.ts: change those. -->

Every class, function, option, action and code of the package \`xano-realtime\`, and of its module
\`xano-realtime/react\`. What errors mean is in [errors.md](errors.md), the hooks have [a page](react.md) of
their own, and [switching.md](switching.md) says what differs from \`@xano/js-sdk\`.

`;

/** The page as the types have it now. Throws where something has no words, or no place. */
export async function write() {
  const out = await mkdtemp(join(tmpdir(), "xano-api-"));
  try {
    const app = await Application.bootstrapWithPlugins({
      plugin: ["typedoc-plugin-markdown"],
      entryPoints: [here("entry.d.ts")],
      tsconfig: here("tsconfig.json"),
      out,
      readme: "none",
      excludePrivate: true,
      excludeExternals: false,
      externalPattern: ["**/node_modules/**"],
      // The types have a test of their own, with the compiler that everything else is compiled with.
      skipErrorChecking: true,
      disableSources: true,
      sort: ["source-order"],
      categorizeByGroup: false,
      categoryOrder: Object.keys(SECTIONS),
      validation: { notExported: true, invalidLink: true, notDocumented: true },
      requiredToBeDocumented: ["Class", "Interface", "TypeAlias", "Variable", "Function", "Method", "Property", "Accessor"],
      treatWarningsAsErrors: true,
      logLevel: "Warn",
      outputFileStrategy: "modules",
      hidePageHeader: true,
      hidePageTitle: true,
      hideBreadcrumbs: true,
      useCodeBlocks: true,
      useHTMLAnchors: true,
      expandParameters: true,
      expandObjects: true,
      parametersFormat: "table",
      propertiesFormat: "table",
      interfacePropertiesFormat: "table",
      classPropertiesFormat: "table",
      tableColumnSettings: { hideDefaults: false, hideInherited: true, hideOverrides: true, hideModifiers: true, hideSources: true },
    });
    const problems = [];
    app.logger.log = (message, level) => level >= LogLevel.Warn && problems.push(message);
    app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => sort(context.project, problems));
    app.renderer.defineTheme("page", PageTheme);
    app.options.setValue("theme", "page");
    const project = await app.convert();
    if (project) {
      for (const category of project.categories) {
        category.children.sort((one, other) => rank(one) - rank(other));
        category.children = category.children.filter((child) => !isTypeOfConstant(child));
      }
      app.validate(project);
      await app.generateOutputs(project);
    }
    if (!project || problems.length) throw new Error(`the types do not make a page:\n${problems.join("\n")}`);
    const text = await readFile(join(out, "README.md"), "utf8");
    return BEGIN + polished(text);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** Puts everything into its section. */
function sort(project, problems) {
  for (const child of project.children) {
    const at = place(child.name);
    if (!at) {
      problems.push(`${child.name} has no section: put it into tools/api-page/sections.js`);
      continue;
    }
    child.comment ??= new Comment();
    child.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: at.section }]));
  }
}

/** Whether it is the type that goes with a constant of the same name, and needs no words of its own. */
function isTypeOfConstant({ kind, name, parent }) {
  return kind === ReflectionKind.TypeAlias && parent.children.some((other) => other.kind === ReflectionKind.Variable && other.name === name);
}

function rank({ name }) {
  return place(name)?.index ?? 0;
}

/** Gives headings addresses that last, takes away those of nothing else, and indents unions evenly. */
function polished(text) {
  const addresses = new Map();
  const named = text.replace(/^<a id="([^"]+)"><\/a>\n\n(#+ (.+))$/gm, (_, id, heading, title) => {
    const address = title.replace(/^new (\w+)/, "$1-constructor").replace(".", "-").replace(/[^\w-]/g, "").toLowerCase();
    addresses.set(id, address);
    return `<a id="${address}"></a>\n\n${heading}`;
  });
  const linked = named.replace(/\]\(#([^)]+)\)/g, (_, id) => `](#${addresses.get(id) ?? addresses.get(id.replace(/-\d+$/, "")) ?? id})`);
  const isLinked = (id) => linked.includes(`](#${id})`);
  const bare = (row) => row.replace(/<a id="([^"]+)"><\/a> /g, (anchor, id) => (isLinked(id) ? anchor : "")).replace("| \\| ", "| ");
  const plain = linked.replace(/^\|.*$/gm, bare);
  const even = plain.replace(/^```ts\n.*?^```/gms, (code) => code.replace(/^\| /gm, "  | ").replace(/ +$/gm, "").replace(/\{\n\}/g, "{}"));
  return `${even.trimEnd()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(PAGE, await write());
}
