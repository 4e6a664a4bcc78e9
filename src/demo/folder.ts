import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { lockRun, type RunLock } from "../store/lock.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";

const MARKER = "demo.json";
const FORMAT = "breakwater-demo-1";

/** Paths inside a demo's folder; everything else in it belongs to somebody else. */
export interface DemoFolder {
  readonly dir: string;
  readonly data: string;
  readonly startEvaluation: string;
  readonly report: string;
  readonly summary: string;
  run(method: string, seed: number): string;
  close(): void;
}

/**
 * Makes the folder of a demo, or empties it of what an earlier demo left there. Only paths that the earlier demo's
 * marker names are removed. Throws a UserError for a folder that holds anything but no marker, or that is in use.
 */
export function openDemoFolder(path: string, runs: readonly { readonly method: string; readonly seed: number }[]): DemoFolder {
  const dir = resolve(path);
  const marker = join(dir, MARKER);
  if (existsSync(dir) && !statSync(dir).isDirectory()) throw new UserError(`${dir} is a file; name a folder with --out`);
  mkdirSync(dir, { recursive: true });
  if (!existsSync(marker)) {
    const foreign = readdirSync(dir).filter((name) => !name.startsWith("run.lock"));
    if (foreign.length > 0) throw new UserError(`${dir}: the folder is not empty (${foreign[0]}, …) and no demo made it; name another with --out`);
  }
  const lock: RunLock = lockRun(dir);
  try {
    for (const name of existsSync(marker) ? ownedBy(marker) : []) rmSync(join(dir, name), { recursive: true, force: true });
    const owned = ["data", "start.json", "report.html", "summary.json", ...runs.map(({ method, seed }) => runName(method, seed))];
    writeFileAtomic(marker, `${JSON.stringify({ format: FORMAT, owned }, null, 2)}\n`);
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    dir,
    data: join(dir, "data"),
    startEvaluation: join(dir, "start.json"),
    report: join(dir, "report.html"),
    summary: join(dir, "summary.json"),
    run: (method, seed) => join(dir, runName(method, seed)),
    close: () => lock.release(),
  };
}

function runName(method: string, seed: number): string {
  return `${method}-seed${seed}`;
}

/** Names that a demo may have made: plain ones directly in its folder. */
function ownedBy(marker: string): string[] {
  const way = "name another folder with --out, or remove this one";
  let parsed: { format?: unknown; owned?: unknown };
  try {
    parsed = JSON.parse(readFileSync(marker, "utf8")) as typeof parsed;
  } catch {
    throw new UserError(`${marker}: not readable as a demo's marker; ${way}`);
  }
  const { format, owned } = parsed;
  if (format !== FORMAT || !Array.isArray(owned)) throw new UserError(`${marker}: not the marker of this version's demo; ${way}`);
  return owned.map((name: unknown) => {
    if (typeof name !== "string" || !/^(data|start\.json|report\.html|summary\.json|[a-z]+-seed\d+)$/.test(name)) {
      throw new UserError(`${marker}: names ${JSON.stringify(name)}, which is nothing that a demo makes; ${way}`);
    }
    return name;
  });
}
