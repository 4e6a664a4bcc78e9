import type { CheckReport } from "./check.js";
import { checks, type CheckName } from "./findings.js";

interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

const columns: readonly Column[] = [
  { title: "severity", align: "left" },
  { title: "check", align: "left" },
  { title: "found", align: "right" },
  { title: "which means", align: "left" },
];

/** Counts of what was found, worst first; for the terminal. */
export function checkTable({ findings }: CheckReport): { readonly columns: readonly Column[]; readonly rows: readonly (readonly string[])[] } {
  const rows = namesOf(findings).map((name) => [checks[name][0], name, String(findings.filter(({ check }) => check === name).length), checks[name][1]]);
  return { columns, rows };
}

/** The first findings of each kind. */
export function findingList({ findings }: CheckReport, limit: number): string {
  if (limit === 0) return "";
  return namesOf(findings)
    .map((name) => {
      const some = findings.filter(({ check }) => check === name);
      const shown = some.slice(0, limit).map(({ places, message }) => `  ${places.join("; ")}: ${message}\n`);
      return `${name}\n${shown.join("")}${some.length > limit ? `  … and ${some.length - limit} more (--json FILE has all)\n` : ""}`;
    })
    .join("");
}

function namesOf(findings: CheckReport["findings"]): CheckName[] {
  const found = new Set(findings.map(({ check }) => check));
  const rank = { error: 0, warning: 1, note: 2 };
  return (Object.keys(checks) as CheckName[]).filter((name) => found.has(name)).sort((a, b) => rank[checks[a][0]] - rank[checks[b][0]]);
}
