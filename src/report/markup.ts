/** Text that is already HTML; everything else that goes into a page is escaped. */
export class Markup {
  constructor(readonly source: string) {}
  toString(): string {
    return this.source;
  }
}

export type Content = Markup | string | number | null | undefined | false | readonly Content[];

/**
 * Tagged template for HTML: values are escaped unless they are Markup, so text of a model can not become an element or
 * leave an attribute (which must stand in double quotes). Lists are joined; null, undefined and false are nothing.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let out = parts[0];
  values.forEach((value, i) => {
    out += render(value) + parts[i + 1];
  });
  return new Markup(out);
}

/** For sources that are known to be markup: a plot, a style sheet. Never for text from a model or a file. */
export function trusted(source: string): Markup {
  return new Markup(source);
}

export function escapeHtml(text: string): string {
  return printable(text.replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`));
}

/** Without the characters that no HTML document may hold. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\uFFFD");
}

/** Controls that HTML forbids and halves of surrogate pairs: shown as the replacement character. */
const UNPRINTABLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

function render(value: Content): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Markup) return value.source;
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return escapeHtml(String(value));
  return value.map(render).join("");
}
