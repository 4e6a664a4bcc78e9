import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { messageOf, UserError } from "../../util/errors.js";
import type { SourceRow } from "./source-row.js";

/**
 * Rows of a Parquet file, one row group at a time; bytes stay bytes (images). Rows count from 1.
 * @param wanted the columns to read, given all names; others are not decoded.
 * @throws UserError for a file that is damaged.
 */
export async function* parquetRows(path: string, wanted: (names: readonly string[]) => readonly string[]): AsyncGenerator<SourceRow> {
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    // Children of the root: the schema is flat, in depth-first order.
    const names: string[] = [];
    for (let at = 1; at < metadata.schema.length; at = behind(metadata.schema, at)) names.push(metadata.schema[at].name);
    const columns = [...wanted(names)];
    let start = 0;
    for (const group of metadata.row_groups) {
      const end = start + Number(group.num_rows);
      const rows = await parquetReadObjects({ file, metadata, columns, rowStart: start, rowEnd: end, compressors, utf8: false });
      for (const [i, row] of rows.entries()) yield { place: `row ${start + i + 1}`, row };
      start = end;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot be read as Parquet: ${messageOf(error)}. It may be cut off: copy it again.`);
  }
}

/** Index of the schema's next element that is no child of `at`. */
function behind(schema: readonly { readonly num_children?: number }[], at: number): number {
  let next = at + 1;
  for (let child = 0; child < (schema[at].num_children ?? 0); child++) next = behind(schema, next);
  return next;
}
