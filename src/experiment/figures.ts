import type { MetricKey } from "../evaluation/metrics.js";
import { metricInfo } from "../evaluation/metrics.js";
import { overSeeds } from "../campaign/measures.js";
import { paletteOf } from "../report/palette.js";
import { curvePlot, stagePlot, type CurvePoint, type StageShares } from "../report/plots.js";
import type { Arm } from "./arms.js";
import type { CurveKey, RunResult, StartResult } from "./collect.js";

/** Shares of failing chains as the paper's figure gives them (arXiv 2606.31825, Qwen3-VL-8B). */
export const PAPER: readonly StageShares[] = [
  { method: "Paper: base", early: 0.64, mid: 0.264, late: 0.096 },
  { method: "Paper: GDPO", early: 0.214, mid: 0.374, late: 0.413 },
  { method: "Paper: GRPO", early: 0.212, mid: 0.351, late: 0.436 },
  { method: "Paper: MRPO", early: 0.13, mid: 0.399, late: 0.47 },
];

const STAGE_COLOURS = { "--early": "#a3341f", "--mid": "#e0a03a", "--late": "#5b93b8", "--on-early": "#fff", "--on-mid": "#1b1f27", "--on-late": "#10202b" };
const INK = "#1b1f27";
const WIDTH = 860;

/** Where chains first fail: this start, what was made of it, and the paper's numbers. */
export function stagesFigure(start: StartResult, arms: readonly Arm[], runs: readonly RunResult[]): string {
  const mean = (of: (key: MetricKey) => (number | null)[]): Omit<StageShares, "method"> | null => {
    const [early, mid, late] = (["early", "mid", "late"] as const).map((key) => overSeeds(of(key)).mean);
    return early === null || mid === null || late === null ? null : { early, mid, late };
  };
  const row = (method: string, shares: Omit<StageShares, "method"> | null): StageShares[] => (shares === null ? [] : [{ method, ...shares }]);
  const rows = [
    ...row("Start", mean((key) => [start.sampled?.metrics[key].value ?? null])),
    ...arms.flatMap((arm) => {
      const own = runs.filter((run) => run.arm.key === arm.key);
      return row(arm.label, mean((key) => own.map((run) => run.sampled.metrics[key].value)));
    }),
    ...PAPER,
  ];
  const plot = stagePlot(rows, { title: "Where failing chains fail first", width: WIDTH - 20 });
  const stages = (["early", "mid", "late"] as const).map((stage) => ({ label: `${stage} third`, colour: STAGE_COLOURS[`--${stage}`], dash: "" }));
  return page(`Where failing chains fail first (start: ${start.name})`, stages, [{ svg: plot, x: 10, y: 0 }], 44 + rows.length * 40);
}

/** Learning curves on held-out questions, one panel a measure. */
export function curvesFigure(start: string, arms: readonly Arm[], runs: readonly RunResult[]): string {
  const shown = arms.filter((arm) => runs.some((run) => run.arm.key === arm.key));
  const palette = paletteOf(shown.map(({ key }) => key));
  const keys: readonly CurveKey[] = ["accuracy", "stepValidity", "early", "earlyOfAll"];
  const panels = keys.map((key, i) => {
    const { label, unit } = metricInfo(key);
    const points = shown.flatMap((arm) => pointsOf(arm.key, runs.filter((run) => run.arm.key === arm.key).map(({ curves }) => curves[key])));
    const title = label;
    return { svg: palette.resolve(curvePlot(points, { title, unit, palette, width: 410, height: 250 }), "light"), title, x: 10 + (i % 2) * 425, y: Math.floor(i / 2) * 285 + 20 };
  });
  const legend = shown.map(({ key, label }) => ({ label, colour: palette.resolve(palette.color(key), "light"), dash: palette.dash(key) }));
  return page(`Held-out questions over training (start: ${start})`, legend, panels, 580);
}

function pointsOf(method: string, seeds: readonly (readonly { step: number; value: number }[])[]): CurvePoint[] {
  const steps = [...new Set(seeds.flatMap((curve) => curve.map(({ step }) => step)))].sort((a, b) => a - b);
  return steps.flatMap((step): CurvePoint[] => {
    const { mean, sd, n } = overSeeds(seeds.map((curve) => curve.find((point) => point.step === step)?.value ?? null));
    return mean === null ? [] : [{ method, step, mean, sd, n }];
  });
}

interface Panel {
  readonly svg: string;
  readonly title?: string;
  readonly x: number;
  readonly y: number;
}

interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly dash: string;
}

/** A picture that stands alone: white ground, title, legend, colours written out. */
function page(title: string, legend: readonly LegendEntry[], panels: readonly Panel[], height: number): string {
  const perRow = 4;
  const rows = Math.ceil(legend.length / perRow);
  const top = 40 + rows * 22;
  const keys = legend.map(({ label, colour, dash }, i) => {
    const x = 14 + (i % perRow) * 208;
    const y = 48 + Math.floor(i / perRow) * 22;
    return `<line x1="${x}" x2="${x + 26}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="4"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}/><text x="${x + 33}" y="${y + 4}">${escape(label)}</text>`;
  });
  const placed = panels.map(({ svg, title: name, x, y }) => {
    const caption = name === undefined ? "" : `<text x="${x + 4}" y="${top + y - 4}" font-weight="600">${escape(name)}</text>`;
    return caption + coloured(svg).replace("<svg", `<svg x="${x}" y="${top + y}"`);
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top + height}" viewBox="0 0 ${WIDTH} ${top + height}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}" color="${INK}">` +
    `<rect width="100%" height="100%" fill="#fff"/><text x="14" y="26" font-size="16" font-weight="600">${escape(title)}</text>${keys.join("")}${placed.join("")}</svg>\n`
  );
}

/** Variables of the report's style sheet replaced by the light theme's colours. */
function coloured(svg: string): string {
  return Object.entries(STAGE_COLOURS)
    .reduce((source, [name, colour]) => source.replaceAll(`var(${name})`, colour), svg)
    .replaceAll("var(--plot-background)", "#fff");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
