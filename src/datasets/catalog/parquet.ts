import { messageOf, UserError } from "../../util/errors.js";

export type ParquetRow = Readonly<Record<string, unknown>>;

/** Rows in order, one row group in memory at a time. @throws UserError naming the file. */
export async function* parquetRows(path: string): AsyncGenerator<ParquetRow> {
  const [{ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects }, { compressors }] = await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    let start = 0;
    for (const group of metadata.row_groups) {
      const end = start + Number(group.num_rows);
      // utf8: false leaves columns of plain bytes (images) as bytes; texts are marked as such and still decoded.
      const rows = await parquetReadObjects({ file, metadata, compressors, utf8: false, rowStart: start, rowEnd: end });
      for (const row of rows) yield row;
      start = end;
    }
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${path}: not a Parquet file that can be read (${messageOf(error)}). Delete it and run the same command again.`);
  }
}

/** Rows altogether. */
export async function parquetLength(path: string): Promise<number> {
  const { asyncBufferFromFile, parquetMetadataAsync } = await import("hyparquet");
  return Number((await parquetMetadataAsync(await asyncBufferFromFile(path))).num_rows);
}

/** An image as the hub's data sets hold it: `{bytes, path}`, or the bytes alone. */
export function imageOf(value: unknown): { readonly bytes: Uint8Array; readonly name: string | null } | null {
  if (value instanceof Uint8Array) return { bytes: value, name: null };
  if (typeof value !== "object" || value === null) return null;
  const { bytes, path } = value as { bytes?: unknown; path?: unknown };
  return bytes instanceof Uint8Array ? { bytes, name: typeof path === "string" && path !== "" ? path : path instanceof Uint8Array ? Buffer.from(path).toString("utf8") : null } : null;
}
