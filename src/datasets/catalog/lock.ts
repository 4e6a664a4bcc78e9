import Database from "libsql";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../../util/errors.js";

/** Keeps a second `prepare` out of a data directory; the operating system lets go of it when the process dies. */
export function lockData(dir: string): { release(): void } {
  const path = join(dir, "downloads", ".lock");
  let db: Database.Database;
  try {
    mkdirSync(join(dir, "downloads"), { recursive: true });
    db = new Database(path);
  } catch (error) {
    throw new UserError(`${path}: cannot be made (${messageOf(error)}); the folder must be writable: mend its rights or name another --data-dir`);
  }
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code !== "SQLITE_BUSY") throw new UserError(`${path}: cannot be locked (${messageOf(error)})`);
    throw new UserError(`Another \`breakwater data prepare\` is writing into ${dir}. Wait for it, stop it, or name another --data-dir.`);
  }
  return {
    release: () => {
      db.exec("ROLLBACK");
      db.close();
    },
  };
}
