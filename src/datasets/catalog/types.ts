/** What the parts of the catalogue share: a file at a source, and what is told while data sets are prepared. */

export interface Checksum {
  /** `git-sha1`: of `blob <bytes>\0` and the content, as git names it. */
  readonly algorithm: "sha256" | "md5" | "git-sha1";
  /** Hexadecimal, lower case. */
  readonly value: string;
}

export interface RemoteFile {
  /** Where it goes, relative to the data set's own folder, with `/`. */
  readonly path: string;
  readonly url: string;
  /** Bytes; null where the source does not tell. */
  readonly size: number | null;
  readonly checksum: Checksum | null;
}

/** The files of a data set at its source, as of one look. */
export interface Listing {
  readonly source: string;
  /** Commit or the like that the files belong to. */
  readonly revision: string | null;
  readonly files: readonly RemoteFile[];
}

export type PrepareEvent =
  | { readonly kind: "file"; readonly dataset: string; readonly path: string; readonly state: "start" | "progress" | "done" | "here"; readonly received: number; readonly size: number | null }
  | { readonly kind: "retry"; readonly dataset: string; readonly path: string; readonly message: string }
  | { readonly kind: "work"; readonly dataset: string; readonly what: string; readonly done: number; readonly total: number | null }
  | { readonly kind: "note"; readonly dataset: string; readonly message: string };

export type Tell = (event: PrepareEvent) => void;
