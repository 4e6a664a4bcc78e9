import type { DataRow } from "../datasets/check/rows.js";
import type { DataStatistics } from "../datasets/check/statistics.js";
import type { Table } from "../report/tables.js";

/** One row a set. */
export function setTable({ sets }: DataStatistics): Table {
  const right = (title: string) => ({ title, align: "right" as const });
  return {
    columns: [
      { title: "set", align: "left" },
      ...["questions", "bad rows", "images", "missing", "yes/no", "gold reasoning", "answer words", "steps"].map(right),
    ],
    rows: sets.map((set) => [
      set.set,
      String(set.questions),
      String(set.bad),
      String(set.images),
      String(set.missingImages),
      String(set.yesNo),
      String(set.withReasoning),
      set.answerWords === null ? "–" : `${round(set.answerWords[0])} (95%: ${round(set.answerWords[1])}, at most ${set.answerWords[2]})`,
      set.steps === null ? "–" : `${set.steps[0]}–${set.steps[2]}, median ${round(set.steps[1])}`,
    ]),
  };
}

export function countTable(title: string, counts: readonly (readonly [string | number | null, number])[], most = 15): Table {
  const shown = counts.slice(0, most).map(([what, count]) => [what === null ? "(none)" : String(what), String(count)]);
  const rest = counts.slice(most).reduce((sum, [, count]) => sum + count, 0);
  return {
    columns: [{ title, align: "left" }, { title: "count", align: "right" }],
    rows: rest > 0 ? [...shown, [`${counts.length - most} more`, String(rest)]] : shown,
  };
}

/** @param width of the terminal, columns. */
export function exampleTable(rows: readonly DataRow[], steps: (text: string) => number, width: number): Table {
  const room = Math.max(24, width - 2 * 22 - 8 - 8);
  return {
    columns: [
      { title: "id", align: "left" },
      { title: "image", align: "left" },
      { title: "question", align: "left" },
      { title: "answer", align: "left" },
      { title: "steps", align: "right" },
    ],
    rows: rows.map((row) => [
      cut(row.id, 22),
      cut(row.image?.name.split("/").at(-1) ?? "–", 22),
      cut(row.question, Math.floor(room * 0.65)),
      cut(row.answer, Math.floor(room * 0.35)),
      row.goldReasoning === null ? "–" : String(steps(row.goldReasoning)),
    ]),
  };
}

function cut(text: string, length: number): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
