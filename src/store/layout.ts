import { join } from "node:path";

/** Where each thing lies in a run's folder; docs/run-folder.md tells what it holds. */
export const runFiles = {
  config: (dir: string) => join(dir, "config.json"),
  status: (dir: string) => join(dir, "status.json"),
  metrics: (dir: string) => join(dir, "metrics.jsonl"),
  timings: (dir: string) => join(dir, "timings.jsonl"),
  timeline: (dir: string) => join(dir, "timeline.jsonl"),
  evaluations: (dir: string) => join(dir, "evaluations.jsonl"),
  rollouts: (dir: string) => join(dir, "rollouts.sqlite"),
  log: (dir: string) => join(dir, "log.txt"),
  lock: (dir: string) => join(dir, "run.lock"),
  checkpoints: (dir: string) => join(dir, "checkpoints"),
  model: (dir: string) => join(dir, "model"),
} as const;

/** `step-000020`; six digits so that names sort as numbers do. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/** The step in a checkpoint folder's name, `null` for any other name. */
export function stepOfCheckpoint(name: string): number | null {
  const match = /^step-(\d{6,})$/.exec(name);
  return match ? Number(match[1]) : null;
}
