import { messageOf, UserError } from "../../util/errors.js";

/** File work that fails is the user's to mend (disk full, rights): the message names the file. */
export function naming<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** The same for work that takes time. */
export async function namingAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

export function cannotWrite(path: string, error: unknown): unknown {
  if (error instanceof UserError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== "string") return error;
  const wayOut =
    code === "ENOSPC" || code === "EDQUOT" ? "the disk is full: free some space"
    : code === "EACCES" || code === "EPERM" || code === "EROFS" ? "the folder must be writable: mend its rights or name another --data-dir"
    : "mend the folder or name another --data-dir";
  return new UserError(`${path}: cannot be written (${messageOf(error)}); ${wayOut}, then run the same command again: it goes on from here`, { cause: error });
}
