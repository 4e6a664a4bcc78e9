import { join } from "node:path";

/** Folders of a data directory. The first three are the reference implementation's. */
export function layout(dir: string) {
  return {
    raw: (set: string) => join(dir, "Data_RAW", set),
    processed: join(dir, "Data_Preprocessed"),
    medthink: join(dir, "Medthink"),
    /** Our own files, one per split or test set. */
    examples: join(dir, "examples"),
    /** What came from a source as it came. */
    downloads: (set: string) => join(dir, "downloads", set),
    listing: (set: string) => join(dir, "downloads", set, "listing.json"),
    /** Says that a set is whole, and what it was made of. */
    prepared: (set: string) => join(dir, "downloads", set, "prepared.json"),
  };
}
