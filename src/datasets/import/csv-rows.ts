import { createReadStream } from "node:fs";
import { parse, type CsvError, type Info } from "csv-parse";
import { messageOf, UserError } from "../../util/errors.js";
import type { SourceRow } from "./source-row.js";

/** Rows of a CSV or TSV file with a head of column names. @throws UserError for a file without rows or with bad names. */
export async function* csvRows(path: string, delimiter: "," | "\t" = ","): AsyncGenerator<SourceRow> {
  const skipped: SourceRow[] = [];
  const parser = createReadStream(path).pipe(
    parse({
      bom: true,
      delimiter,
      info: true,
      relax_quotes: delimiter === "\t",
      skip_empty_lines: true,
      skip_records_with_error: true,
      columns: (names: string[]) => checkNames(names, path),
      on_skip: (error: CsvError | undefined) => {
        skipped.push({ place: `line ${lineOf(error)}`, error: reason(error) });
        return undefined;
      },
    }),
  );
  let line = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Record<string, string>; info: Info }>) {
      yield* skipped.splice(0);
      // Where the record begins; the parser says where it ends.
      const place = `line ${info.lines}`;
      line = info.lines;
      const broken = Object.keys(record).find((key) => record[key].includes("\ufffd"));
      yield broken === undefined ? { place, row: record } : { place, error: `"${broken}" is not UTF-8; save the file as UTF-8` };
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot be read as CSV behind line ${line}: ${messageOf(error)}. Correct it there.`);
  }
  yield* skipped;
}

function checkNames(names: string[], path: string): string[] {
  const clean = names.map((name) => name.trim());
  const twice = clean.find((name, i) => clean.indexOf(name) !== i);
  if (twice !== undefined) throw new UserError(`${path}: the first line has two columns named ${JSON.stringify(twice)}. Rename one.`);
  return clean;
}

function lineOf(error: CsvError | undefined): number | string {
  const lines: unknown = error && "lines" in error ? (error as { lines?: unknown }).lines : undefined;
  return typeof lines === "number" ? lines : "?";
}

function reason(error: CsvError | undefined): string {
  if (error?.code === "CSV_RECORD_INCONSISTENT_COLUMNS") return `has another number of columns than the first line (${error.message.replace(/^.*?: /, "").replace(/ on line \d+$/, "")})`;
  return error?.message ?? "cannot be read";
}
