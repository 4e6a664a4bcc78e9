import Database from "libsql";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { messageOf, UserError } from "../util/errors.js";
import { runFiles } from "./layout.js";

export interface RunLock {
  release(): void;
}

/**
 * Keeps a second training out of a run's folder. The lock is an open exclusive transaction on an empty SQLite file, so
 * the operating system lets go of it when the process dies in whatever way: there is no stale lock to judge by its pid.
 * Throws a UserError where another process (or another training of this one) holds it.
 */
export function lockRun(dir: string): RunLock {
  const path = runFiles.lock(dir);
  let db: Database.Database;
  try {
    db = new Database(path);
  } catch (error) {
    throw new UserError(`${path}: cannot make the lock of the run: ${messageOf(error)}; the folder must be writable`);
  }
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code !== "SQLITE_BUSY") throw error;
    const holder = holderOf(dir);
    throw new UserError(
      `${dir}: another training ${holder === null ? "" : `(process ${holder}) `}is writing into this run folder; ` +
        `wait for it, stop it, or name another folder with --output (its lock is ${basename(path)})`,
    );
  }
  return {
    release: () => {
      db.exec("ROLLBACK");
      db.close();
    },
  };
}

/** The pid that status.json names, for the message only. */
function holderOf(dir: string): number | null {
  try {
    return (JSON.parse(readFileSync(runFiles.status(dir), "utf8")) as { pid: number }).pid;
  } catch {
    return null;
  }
}
