import type { Listing } from "../types.js";
import type { PrepareContext } from "../obtain.js";

export interface MimicFolders {
  /** Folder of MIMIC-Ext-MIMIC-CXR-VQA, somewhere in which test.json lies. */
  readonly data: string | null;
  /** Folder of MIMIC-CXR-JPG that has `files/` or `p10/` … in it. */
  readonly images: string | null;
}

/** What knows how to get one data set. */
export interface Preparer {
  readonly name: string;
  /** Raised when the same downloads give other files. */
  readonly builder: number;
  /** Fetches what is missing (or, offline, checks that nothing is). */
  obtain(context: PrepareContext, mimic: MimicFolders): Promise<Listing>;
  /** Makes the data set's files. Examples by split. */
  build(context: PrepareContext, listing: Listing): Promise<Readonly<Record<string, number>>>;
  /** Files without which it is not whole. */
  outputs(context: PrepareContext): readonly string[];
}
