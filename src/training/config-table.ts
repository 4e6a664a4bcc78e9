import { configKeys, flagOf, showValue } from "./config-keys.js";

/** The reference of all keys as a Markdown table: key, value, default, meaning. docs/run-folder.md holds it. */
export function configTable(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = configKeys().map((key) => {
    const value = key.choices?.join(" | ") ?? key.kind;
    const shown = key.defaultValue === undefined ? "" : `\`${cell(showValue(key.defaultValue))}\``;
    return `| \`${key.path}\` | \`${flagOf(key.path)}\` | ${cell(value)} | ${shown} | ${cell(key.description)} |`;
  });
  return ["| Key | Flag | Value | Default | Meaning |", "|---|---|---|---|---|", ...rows].join("\n");
}
