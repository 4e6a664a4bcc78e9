import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { configTable } from "./config-table.js";

it("docs/run-folder.md holds the table of all keys", () => {
  const file = new URL("../../docs/run-folder.md", import.meta.url);
  const text = readFileSync(file, "utf8");
  const begin = text.indexOf("-->\n", text.indexOf("<!-- keys:")) + 4;
  const end = text.indexOf("<!-- /keys -->");
  const expected = `${text.slice(0, begin)}${configTable()}\n${text.slice(end)}`;
  if (process.env.UPDATE_DOCS === "1") writeFileSync(file, expected);
  expect(readFileSync(file, "utf8")).toBe(expected);
});
