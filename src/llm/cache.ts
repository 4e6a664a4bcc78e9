import Database from "libsql";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "../util/errors.js";

/** Version of the tables, in `PRAGMA user_version`. */
const CACHE_SCHEMA = 1;

/** What a question came to: the reply's text, or why the model never gave a usable one. */
export interface CachedReply {
  readonly status: "ok" | "failed";
  readonly text: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** No question, image or name is kept: the key is a hash. */
const TABLES = `
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, model TEXT NOT NULL, status TEXT NOT NULL, reply TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spending (scope TEXT PRIMARY KEY, amount REAL NOT NULL) WITHOUT ROWID;
PRAGMA user_version = ${CACHE_SCHEMA};`;

/** Replies that were paid for, in an SQLite file. Several processes may use one file at the same time. */
export class LlmCache {
  private readonly find: Database.Statement;
  private readonly add: Database.Statement;
  private readonly spend: Database.Statement;
  private readonly spentOf: Database.Statement;

  private constructor(
    private readonly db: Database.Database,
    readonly path: string,
  ) {
    this.find = db.prepare("SELECT status, reply AS text, prompt_tokens AS promptTokens, completion_tokens AS completionTokens FROM replies WHERE key = ?");
    this.add = db.prepare("INSERT OR IGNORE INTO replies VALUES (?,?,?,?,?,?,?)");
    this.spend = db.prepare("INSERT INTO spending VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET amount = amount + excluded.amount");
    this.spentOf = db.prepare("SELECT amount FROM spending WHERE scope = ?");
  }

  /** @throws UserError where the file cannot be opened, is no cache, or was written by a newer version. */
  static open(path: string): LlmCache {
    const wayOut = "name another file, or delete this one to pay for its replies again";
    let db: Database.Database | null = null;
    try {
      if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
      db = new Database(path);
      db.exec("PRAGMA busy_timeout = 30000;");
      const { user_version: version } = db.prepare("PRAGMA user_version").all()[0] as { user_version: number };
      if (version > CACHE_SCHEMA) throw new UserError(`${path}: written by a newer breakwater (schema ${version}, this one reads ${CACHE_SCHEMA}); update it, or ${wayOut}`);
      if (version === 0 && db.prepare("SELECT name FROM sqlite_master").all().length > 0) {
        throw new UserError(`${path}: an SQLite file, but no cache of replies; ${wayOut.split(",")[0]}`);
      }
      // NORMAL: what was written outlives the process, however it ends; a power cut may cost the last few replies.
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      db.exec(TABLES);
      return new LlmCache(db, path);
    } catch (error) {
      db?.close();
      if (error instanceof UserError) throw error;
      throw new UserError(`${path}: cannot be used as a cache of replies (${messageOf(error)}); ${wayOut}`);
    }
  }

  get(key: string): CachedReply | null {
    return (this.find.all(key)[0] as CachedReply | undefined) ?? null;
  }

  /** Keeps a reply; where another process was first, its reply stands and is given back. Committed when it returns. */
  put(key: string, model: string, reply: CachedReply): CachedReply {
    try {
      const { status, text, promptTokens, completionTokens } = reply;
      this.add.run(key, model, status, text, promptTokens, completionTokens, Date.now());
      return this.get(key) ?? reply;
    } catch (error) {
      throw new UserError(`${this.path}: the reply cannot be kept (${messageOf(error)}); free some space or name another cache file, then start again: what it holds is not paid twice`);
    }
  }

  /** Removes a reply, so that it is asked for again. */
  remove(key: string): void {
    this.db.prepare("DELETE FROM replies WHERE key = ?").run(key);
  }

  /** What was spent under a name, by this and earlier processes. */
  spent(scope: string): number {
    return (this.spentOf.all(scope)[0] as { amount: number } | undefined)?.amount ?? 0;
  }

  addSpent(scope: string, amount: number): void {
    this.spend.run(scope, amount);
  }

  count(): number {
    return (this.db.prepare("SELECT count(*) AS n FROM replies").all()[0] as { n: number }).n;
  }

  close(): void {
    this.db.close();
  }
}
