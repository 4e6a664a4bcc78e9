import Database from "libsql";
import { existsSync } from "node:fs";
import type { ChainVerdict, Rewards, Span, Step, StopReason } from "../types.js";
import { UserError } from "../util/errors.js";
import type { RolloutQuery, StoredExample, StoredRollout } from "./types.js";

/** Version of the tables, in `PRAGMA user_version`. */
export const ROLLOUTS_SCHEMA = 1;

/** Number arrays are little-endian blobs: int32 for tokens and span ends, float64 for the rest, so nothing is rounded. */
const TABLES = `
CREATE TABLE IF NOT EXISTS examples (
  id TEXT PRIMARY KEY, image TEXT, question TEXT NOT NULL, answer TEXT NOT NULL, gold_reasoning TEXT, kind TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rollouts (
  step INTEGER NOT NULL, example_id TEXT NOT NULL, idx INTEGER NOT NULL,
  text TEXT NOT NULL, answer TEXT, stop_reason TEXT NOT NULL,
  tokens BLOB NOT NULL, offsets BLOB NOT NULL, logprobs BLOB NOT NULL,
  steps TEXT NOT NULL, verdict TEXT NOT NULL, rewards TEXT NOT NULL,
  advantage REAL NOT NULL, token_advantages BLOB NOT NULL,
  PRIMARY KEY (step, example_id, idx)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rollouts_by_example ON rollouts (example_id, step);
PRAGMA user_version = ${ROLLOUTS_SCHEMA};`;

/** The rollouts of one run. One writer (the training) and any number of readers; a step is one transaction. */
export class RolloutsDb {
  private constructor(private readonly db: Database.Database) {}

  /** Opens for writing, making the tables where they are absent. Write-ahead log: readers never wait nor block. */
  static open(path: string): RolloutsDb {
    const db = connect(path);
    db.exec("PRAGMA busy_timeout = 10000;");
    checkSchema(db, path);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    db.exec(TABLES);
    return new RolloutsDb(db);
  }

  /** Opens for reading while a training may be writing; throws a UserError for an absent file. */
  static read(path: string): RolloutsDb {
    if (!existsSync(path)) throw new UserError(`${path}: not found`);
    const db = connect(path);
    db.exec("PRAGMA busy_timeout = 10000; PRAGMA query_only = 1;");
    checkSchema(db, path);
    return new RolloutsDb(db);
  }

  /** Stores a step's rollouts and their examples, all or nothing. */
  insert(examples: readonly StoredExample[], rollouts: readonly StoredRollout[]): void {
    const example = this.db.prepare("INSERT OR IGNORE INTO examples VALUES (?,?,?,?,?,?)");
    const rollout = this.db.prepare(`INSERT INTO rollouts VALUES (${Array(14).fill("?").join(",")})`);
    this.db.transaction(() => {
      for (const e of examples) example.run(e.id, e.image, e.question, e.answer, e.goldReasoning, e.kind);
      for (const r of rollouts) {
        const spanEnds = r.offsets.flatMap((span) => [span.start, span.end]);
        rollout.run(
          ...[r.step, r.exampleId, r.index, r.text, r.answer, r.stopReason],
          ...[int32Blob(r.tokens), int32Blob(spanEnds), float64Blob(r.logprobs)],
          ...[JSON.stringify(r.steps), JSON.stringify(r.verdict), JSON.stringify(r.rewards)],
          ...[r.advantage, float64Blob(r.tokenAdvantages)],
        );
      }
    })();
  }

  /** Removes what steps after `lastStep` left: a resumed run makes them again. */
  removeAfter(lastStep: number): void {
    this.db.transaction(() => {
      this.db.prepare("DELETE FROM rollouts WHERE step > ?").run(lastStep);
      this.db.exec("DELETE FROM examples WHERE id NOT IN (SELECT example_id FROM rollouts)");
    })();
  }

  /** Distinct steps, ascending. */
  steps(): number[] {
    const rows = this.db.prepare("SELECT DISTINCT step FROM rollouts ORDER BY step").all() as { step: number }[];
    return rows.map((row) => row.step);
  }

  /** Ordered by step, example id, index. */
  rollouts(query: RolloutQuery = {}): StoredRollout[] {
    const where: string[] = [];
    const values: (string | number)[] = [];
    const filter = (column: string, value: string | number | undefined) => {
      if (value === undefined) return;
      where.push(`${column} = ?`);
      values.push(value);
    };
    filter("step", query.step);
    filter("example_id", query.exampleId);
    const condition = where.length > 0 ? `WHERE ${where.join(" AND ")}` : "";
    const sql = `SELECT * FROM rollouts ${condition} ORDER BY step, example_id, idx LIMIT ? OFFSET ?`;
    const rows = this.db.prepare(sql).all(...values, query.limit ?? -1, query.offset ?? 0) as RolloutRecord[];
    return rows.map(rolloutOf);
  }

  examples(ids?: readonly string[]): StoredExample[] {
    const columns = "id, image, question, answer, gold_reasoning AS goldReasoning, kind";
    if (ids === undefined) return this.db.prepare(`SELECT ${columns} FROM examples ORDER BY id`).all().map(exampleOf);
    const one = this.db.prepare(`SELECT ${columns} FROM examples WHERE id = ?`);
    return ids.flatMap((id) => one.all(id).map(exampleOf));
  }

  close(): void {
    this.db.close();
  }
}

/** libsql gives the blobs of `all` as ArrayBuffers, those of `get` as Buffers. */
type Blob = Buffer | ArrayBuffer;

interface RolloutRecord {
  step: number;
  example_id: string;
  idx: number;
  text: string;
  answer: string | null;
  stop_reason: StopReason;
  tokens: Blob;
  offsets: Blob;
  logprobs: Blob;
  steps: string;
  verdict: string;
  rewards: string;
  advantage: number;
  token_advantages: Blob;
}

function rolloutOf(row: RolloutRecord): StoredRollout {
  const ends = int32s(row.offsets);
  const offsets: Span[] = [];
  for (let i = 0; i < ends.length; i += 2) offsets.push({ start: ends[i], end: ends[i + 1] });
  return {
    step: row.step,
    exampleId: row.example_id,
    index: row.idx,
    text: row.text,
    answer: row.answer,
    stopReason: row.stop_reason,
    tokens: int32s(row.tokens),
    offsets,
    logprobs: float64s(row.logprobs),
    steps: JSON.parse(row.steps) as Step[],
    verdict: JSON.parse(row.verdict) as ChainVerdict,
    rewards: JSON.parse(row.rewards) as Rewards,
    advantage: row.advantage,
    tokenAdvantages: float64s(row.token_advantages),
  };
}

function exampleOf(row: unknown): StoredExample {
  const { id, image, question, answer, goldReasoning, kind } = row as StoredExample;
  return { id, image, question, answer, goldReasoning, kind };
}

function connect(path: string): Database.Database {
  try {
    return new Database(path);
  } catch (error) {
    throw new UserError(`${path}: cannot be opened as an SQLite file: ${(error as Error).message}`);
  }
}

function checkSchema(db: Database.Database, path: string): void {
  let rows: unknown[];
  try {
    rows = db.prepare("PRAGMA user_version").all();
  } catch (error) {
    db.close();
    throw new UserError(`${path}: not a readable SQLite file: ${(error as Error).message}; reading needs a little room beside it: where the disk is full or read-only, free some or copy the run elsewhere`);
  }
  const { user_version: version } = rows[0] as { user_version: number };
  if (version <= ROLLOUTS_SCHEMA) return;
  db.close();
  throw new UserError(`${path}: written by a newer breakwater (schema ${version}, this one reads ${ROLLOUTS_SCHEMA}); update it`);
}

function int32Blob(values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => out.writeInt32LE(value, i * 4));
  return out;
}

function float64Blob(values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => out.writeDoubleLE(value, i * 8));
  return out;
}

function int32s(blob: Blob): number[] {
  const bytes = bytesOf(blob);
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(i * 4));
}

function float64s(blob: Blob): number[] {
  const bytes = bytesOf(blob);
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8));
}

function bytesOf(blob: Blob): Buffer {
  return blob instanceof ArrayBuffer ? Buffer.from(blob) : blob;
}
