// The page's looks: one code block says what something is, in TypeScript; words say the rest. What the
// plugin would say a second time in lists and tables is left out.

import { ReflectionKind } from "typedoc";
import { MarkdownTheme, MarkdownThemeContext } from "typedoc-plugin-markdown";

export class PageTheme extends MarkdownTheme {
  getRenderContext(page) {
    return new PageContext(this, page, this.application.options);
  }
}

class PageContext extends MarkdownThemeContext {
  partials = {
    ...this.partials,
    hierarchy: () => "",
    inheritance: () => "",
    memberTitle: (model) => title(model),
    memberWithGroups: (model, options) => this.#whole(model, options.headingLevel),
    declaration: (model) => this.#declaration(model),
    signatures: (model) => this.#signatures(model),
    constructor: (model, options) => `${"#".repeat(options.headingLevel)} new ${model.parent.name}()\n\n${this.#signatures(model)}`,
  };

  /** A class or an interface: what it is for, then its members, each once. */
  #whole(model, headingLevel) {
    if (model.kind === ReflectionKind.Project) return this.partials.body(model, { headingLevel });
    const children = (model.children ?? []).filter(isOwn);
    const fields = children.filter((child) => child.kind === ReflectionKind.Property && isRow(child));
    const methods = children.filter((child) => !fields.includes(child)).sort((one, other) => rank(one) - rank(other));
    return [
      this.#heritage(model),
      this.#comment(model),
      this.#parameters(model.typeParameters),
      fields.length ? this.partials.propertiesTable(fields, { kind: model.kind }) : "",
      ...methods.map((child) => this.partials.memberContainer(child, { headingLevel })),
    ].filter(Boolean).join("\n\n");
  }

  #heritage(model) {
    const parents = [...(model.extendedTypes ?? []), ...(model.implementedTypes ?? [])];
    // A base that is not exported is nobody's business: its members are listed.
    const known = parents.filter((type) => type.name !== "XanoBaseClient");
    return known.length ? `Extends ${known.map((type) => this.partials.someType(type)).join(", ")}.` : "";
  }

  /** An alias, a constant, or a field that takes more words than a table has room for. */
  #declaration(model) {
    const values = model.type?.elementSummaries?.map((summary, index) => [model.type.types[index], summary]) ?? [];
    const known = values.filter(([, summary]) => summary?.length);
    const list = known.map(([type, summary]) => `- ${this.partials.someType(type)}: ${this.helpers.getCommentParts(summary).replace(/\s*\n\s*/g, " ")}`);
    return [this.partials.declarationTitle(model), this.#comment(model), list.join("\n")].filter(Boolean).join("\n\n");
  }

  #signatures(model) {
    let said = "";
    return (model.signatures ?? []).map((signature) => {
      const comment = this.#comment(signature);
      // What holds for all of them is said behind the first.
      const own = comment === said ? "" : comment;
      said = comment;
      return [this.partials.signatureTitle(signature), own, this.#parameters(signature.typeParameters)].filter(Boolean).join("\n\n");
    }).join("\n\n");
  }

  #comment({ comment }) {
    return comment ? this.partials.comment(comment, { showSummary: true, showTags: true }) : "";
  }

  /** Type parameters, where there is something to say of them. */
  #parameters(parameters) {
    return parameters?.some(({ comment }) => comment) ? this.partials.typeParametersTable(parameters) : "";
  }
}

/** Members are told apart by whose they are. */
function title(model) {
  const isMember = model.parent?.kindOf([ReflectionKind.Class, ReflectionKind.Interface]);
  return `${isMember ? `${model.parent.name}.` : ""}${model.name}${model.signatures ? "()" : ""}`;
}

/** What is inherited is said where it is from, unless that is no export. */
function isOwn(child) {
  if (child.kind === ReflectionKind.Constructor) return child.signatures.some((signature) => signature.hasComment());
  if (child.inheritedFrom) return child.inheritedFrom.name.startsWith("XanoBaseClient.");
  // The storages say of each method what their base says.
  return !child.overwrites;
}

/** Whether a table has room for a field. */
function isRow({ comment, type }) {
  return !type?.declaration && !comment?.summary.some(({ text }) => text.includes("\n- "));
}

/** A constructor comes first, what is inherited last. */
function rank(child) {
  if (child.kind === ReflectionKind.Constructor) return 0;
  return child.inheritedFrom ? 2 : 1;
}
