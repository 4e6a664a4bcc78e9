/** JSON Lines and JSON lists of any length, a row at a time. */
import { createReadStream } from "node:fs";
import { UserError } from "../../util/errors.js";
import { isRecord } from "../../util/json-file.js";
import { readJsonLines } from "../../util/jsonl.js";
import type { SourceRow } from "./source-row.js";

export async function* jsonlRows(path: string): AsyncGenerator<SourceRow> {
  for await (const item of readJsonLines(createReadStream(path))) {
    const place = `line ${item.line}`;
    if ("error" in item) yield { place, error: item.error };
    else if (isRecord(item.value)) yield { place, row: item.value };
    else yield { place, error: "not an object" };
  }
}

/**
 * Rows of `[{…}, …]`, or of the first list in an object around it (`{"data": [{…}, …]}`). A `.json` file that is JSON
 * Lines is read as that. Rows count from 1.
 * @throws UserError where there is no list, or it is not closed.
 */
export async function* jsonRows(path: string): AsyncGenerator<SourceRow> {
  const lines = await looksLikeLines(path);
  if (lines) {
    yield* jsonlRows(path);
    return;
  }
  let count = 0;
  for await (const { text, line } of listElements(path)) {
    const place = `row ${++count} (line ${line})`;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      const hint = /\b(?:NaN|Infinity|None)\b/.test(text) ? "; JSON has no NaN, Infinity or None: write null" : "";
      yield { place, error: `not JSON: ${error instanceof Error ? error.message : String(error)}${hint}` };
      continue;
    }
    yield isRecord(value) ? { place, row: value } : { place, error: "not an object" };
  }
}

/** Is the first line an object of its own? */
async function looksLikeLines(path: string): Promise<boolean> {
  for await (const item of readJsonLines(createReadStream(path, { end: (1 << 20) - 1 }))) return "value" in item && isRecord(item.value) && !Object.values(item.value).some((value) => Array.isArray(value) && value.some(isRecord));
  return false;
}

/** Texts of the elements of the first list, found by brackets and quotes alone. */
async function* listElements(path: string): AsyncGenerator<{ text: string; line: number }> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let [line, start, depth, inString, escaped, listDepth, buffer] = [1, 1, 0, false, false, 0, ""];
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    const text = decode(decoder, chunk, path);
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const c = text[at];
      if (c === "\n") line++;
      if (inString) {
        if (escaped) escaped = false;
        else if (c === "\\") escaped = true;
        else if (c === '"') inString = false;
        continue;
      }
      if (c === '"') inString = true;
      if (c === "[" || c === "{") {
        depth++;
        if (listDepth === 0 && c === "[") {
          listDepth = depth;
          from = at + 1;
          start = line;
          continue;
        }
      }
      if (listDepth === 0) continue;
      const closes = c === "]" || c === "}";
      if ((c === "," || c === "]") && depth === listDepth) {
        const element = buffer + text.slice(from, at);
        buffer = "";
        from = at + 1;
        if (element.trim() !== "") yield { text: element, line: start + leadingLines(element) };
        start = line;
        if (c === "]") return;
      } else if (closes) depth--;
    }
    if (listDepth > 0) buffer += text.slice(from);
  }
  if (listDepth === 0) throw new UserError(`${path} holds no list of rows. Wrap the rows in [ ], or write one JSON object a line and name it .jsonl.`);
  throw new UserError(`${path} ends before its list of rows is closed (the last row begins on line ${start}): it is cut off. Copy it again.`);
}

function leadingLines(text: string): number {
  return (/^\s*/.exec(text)?.[0].match(/\n/g) ?? []).length;
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk: Uint8Array, path: string): string {
  try {
    return decoder.decode(chunk, { stream: true });
  } catch {
    throw new UserError(`${path} is not UTF-8. Save it as UTF-8.`);
  }
}
