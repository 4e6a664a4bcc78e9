import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { layout } from "./layout.js";
import { readPrepared } from "./prepare.js";
import { catalog, type DatasetFacts } from "./registry.js";

export interface DatasetState extends DatasetFacts {
  /** Null where no data directory was named. */
  readonly state: "here" | "partly here" | "not here" | null;
  /** Of a set that is here: examples by split. */
  readonly counts: Readonly<Record<string, number>> | null;
}

/** Every data set known, and whether it is in the data directory. */
export function listDatasets(dataDir: string | null): DatasetState[] {
  if (dataDir === null) return catalog.map((facts) => ({ ...facts, state: null, counts: null }));
  const dir = resolve(dataDir);
  return catalog.map((facts): DatasetState => {
    const prepared = readPrepared(dir, facts.name);
    const paths = layout(dir);
    const begun = [paths.downloads(facts.name), paths.raw(facts.name)].some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
    return { ...facts, state: prepared !== null ? "here" : begun ? "partly here" : "not here", counts: prepared?.counts ?? null };
  });
}
