import { positions, verdictBits, type Agreement } from "../evaluation/agreement.js";
import type { Calibration } from "../evaluation/calibration.js";
import { formatCount, formatValue, NONE } from "./format.js";
import { markdownTable, type Table } from "./tables.js";

const COLUMNS = ["Steps", "Agreement", "Kappa [95% interval]", "both 1", "judge 1, truth 0", "judge 0, truth 1", "both 0"];

/** Agreement by bit, over all steps. */
export function bitTable({ report }: Calibration): Table {
  return tableOf("Bit", verdictBits.map((bit) => [bit, report.bits[bit]]));
}

/** Agreement by bit and third of the chain. */
export function positionTable({ report }: Calibration): Table {
  return tableOf("Position", positions.flatMap((position) => verdictBits.map((bit): [string, Agreement] => [`${position}: ${bit}`, report.byPosition[position][bit]])));
}

/** Agreement on validity by the step's number. */
export function stepTable({ report }: Calibration): Table {
  const last = report.byStep.length - 1;
  return tableOf("Valid, step", report.byStep.map((agreement, i) => [i === last && i === 9 ? "10 and on" : String(i + 1), agreement]));
}

/** The whole report for a file. */
export function calibrationMarkdown(calibration: Calibration): string {
  return [
    "# Agreement of a judge with the truth",
    `Judge: ${calibration.judge}. Truth: ${calibration.truth}.`,
    calibrationSummary(calibration),
    "## By bit",
    markdownTable(bitTable(calibration)),
    "## By position",
    "Thirds of a chain by (k−1)/K of step k.",
    markdownTable(positionTable(calibration)),
    "## By step",
    markdownTable(stepTable(calibration)),
    "Kappa is Cohen's (1960); its interval is a percentile bootstrap over chains. It does not exist where all bits are alike.",
  ].join("\n\n");
}

/** How many chains the figures rest on, and why the others are missing. */
export function calibrationSummary({ report, reasons }: Calibration): string {
  const why = Object.entries(reasons).map(([reason, n]) => `${n} × ${reason}`);
  const missing = report.unscored === 0 ? "" : `; ${report.unscored} unscored and in no figure (${why.join("; ")})`;
  return `${report.chains - report.unscored} of ${report.chains} chains judged${missing}.`;
}

function tableOf(title: string, rows: readonly (readonly [string, Agreement])[]): Table {
  return {
    columns: [{ title, align: "left" }, ...COLUMNS.map((name) => ({ title: name, align: "right" as const }))],
    rows: rows.map(([name, agreement]) => [
      name,
      formatCount(agreement.steps),
      formatValue(agreement.agreement, "share"),
      kappaText(agreement),
      ...[agreement.truePositive, agreement.falsePositive, agreement.falseNegative, agreement.trueNegative].map(formatCount),
    ]),
  };
}

function kappaText({ kappa, kappaInterval }: Agreement): string {
  if (kappa === null) return NONE;
  return kappaInterval === null ? kappa.toFixed(3) : `${kappa.toFixed(3)} [${kappaInterval.low.toFixed(3)}, ${kappaInterval.high.toFixed(3)}]`;
}
