import { html, type Markup } from "./markup.js";

/** A table as plain text cells: the same rows are shown in a terminal, in Markdown and in HTML. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

export interface Column {
  readonly title: string;
  /** `right` for numbers. */
  readonly align: "left" | "right";
}

/** Columns padded to the widest cell, a rule under the head; no line ends in blanks. */
export function terminalTable(table: Table): string {
  const widths = table.columns.map((column, c) =>
    Math.max(width(column.title), ...table.rows.map((row) => width(row[c] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, c) => {
        const blanks = " ".repeat(widths[c] - width(cell));
        return table.columns[c].align === "right" ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd();
  return [
    line(table.columns.map((column) => column.title)),
    widths.map((w) => "─".repeat(w)).join("  "),
    ...table.rows.map((row) => line(table.columns.map((_, c) => printable(row[c] ?? "")))),
  ].join("\n");
}

/** GitHub's Markdown table. */
export function markdownTable(table: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  return [
    line(table.columns.map((column) => column.title)),
    `|${table.columns.map((column) => (column.align === "right" ? "---:" : "---")).join("|")}|`,
    ...table.rows.map((row) => line(table.columns.map((_, c) => row[c] ?? ""))),
  ].join("\n");
}

/** An HTML table in a scrolling frame; the first cell of a row is its header. */
export function htmlTable(table: Table, caption: string): Markup {
  return html`<figure class="table"><figcaption>${caption}</figcaption><div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><thead><tr>${table.columns.map(
    (column) => html`<th scope="col" class="${column.align}">${column.title}</th>`,
  )}</tr></thead><tbody>${table.rows.map(
    (row) =>
      html`<tr>${table.columns.map((column, c) =>
        c === 0
          ? html`<th scope="row" class="${column.align}">${row[c] ?? ""}</th>`
          : html`<td class="${column.align}">${cellMarkup(row[c] ?? "")}</td>`,
      )}</tr>`,
  )}</tbody></table></div></figure>`;
}

/** An interval behind a value goes under it, so that wide tables fit a page. */
function cellMarkup(cell: string): Markup {
  const [, value, interval] = /^(\S+) (\[[^\]]+\](?: \*)?(?: p[=<][\d.]+)?)$/.exec(cell) ?? [];
  return interval === undefined ? html`${cell}` : html`${value} <span class="interval">${interval}</span>`;
}

function width(text: string): number {
  return [...printable(text)].length;
}

/** Names may come from files: no control character reaches the terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001F\u007F-\u009F]/g, "\uFFFD");
}

function escapeMarkdown(text: string): string {
  return text
    .replace(/[\r\n]+/g, " ")
    .replace(/[\\|<>`*_]/g, (c) => (c === "<" ? "&lt;" : c === ">" ? "&gt;" : `\\${c}`))
    .replaceAll("](", "]\\(");
}
