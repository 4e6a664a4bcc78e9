/** JSON Lines: reading a stream line by line with each bad line named, writing with back-pressure. */
import { once } from "node:events";
import type { Writable } from "node:stream";

export type JsonLine =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly error: string };

/**
 * The values of a JSON Lines stream, in order, line numbers from 1. Blank lines are passed over, a byte order mark at
 * the start and CR before LF are taken off. A line that is not UTF-8 or not JSON comes as an error, the rest go on.
 */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<JsonLine> {
  let line = 0;
  for await (const bytes of splitLines(chunks)) {
    line++;
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: line > 1 }).decode(bytes);
    } catch {
      yield { line, error: "not UTF-8" };
      continue;
    }
    if (text.trim() === "") continue;
    yield parseLine(text, line);
  }
}

function parseLine(text: string, line: number): JsonLine {
  try {
    return { line, value: JSON.parse(text) as unknown };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = /\b(?:NaN|Infinity|None)\b/.test(text) ? "; JSON has no NaN, Infinity or None: write null" : "";
    return { line, error: `not JSON: ${reason}${hint}` };
  }
}

/** Bytes between line feeds; the last line needs none. */
async function* splitLines(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      parts.push(bytes.subarray(from, at));
      yield parts.length === 1 ? parts[0] : Buffer.concat(parts);
      parts.length = 0;
      from = at + 1;
    }
    if (from < bytes.length) parts.push(bytes.subarray(from));
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

/** One value as a line; resolves when the stream takes more. Rejects with the stream's error (EPIPE …). */
export async function writeJsonLine(output: Writable, value: unknown): Promise<void> {
  if (!output.write(`${JSON.stringify(value)}\n`)) await once(output, "drain");
}
