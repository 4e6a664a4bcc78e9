import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { printable } from "./markup.js";
import type { Palette } from "./palette.js";

/**
 * Figures as SVG source. Colours are the palette's CSS variables, so that one figure serves light and dark pages;
 * numbers are drawn as given: shares in [0, 1] become per cent here and nowhere before.
 */

const FONT = { fontSize: "12px", fontFamily: "inherit", overflow: "visible" } as const;
/** Below this width tick labels are thinned out. */
const NARROW = 500;

/** A point of a learning curve: mean and sample standard deviation over `n` seeds at one step. */
export interface CurvePoint {
  readonly method: string;
  readonly step: number;
  readonly mean: number;
  readonly sd: number | null;
  readonly n: number;
}

export interface CurveOptions {
  readonly title: string;
  readonly unit: "share" | "number";
  readonly palette: Palette;
  readonly width?: number;
  readonly height?: number;
}

/** One line a method over training steps, with a band of ± one standard deviation where there are several seeds. */
export function curvePlot(points: readonly CurvePoint[], options: CurveOptions): string {
  const { palette, unit, width = 400, height = 250 } = options;
  const scale = unit === "share" ? 100 : 1;
  const clampShare = (y: number) => (unit === "share" ? Math.min(100, Math.max(0, y)) : y);
  const data = points.map((point) => ({
    method: point.method,
    step: point.step,
    y: point.mean * scale,
    low: clampShare((point.mean - (point.sd ?? 0)) * scale),
    high: clampShare((point.mean + (point.sd ?? 0)) * scale),
  }));
  const methods = palette.methods.filter((method) => data.some((row) => row.method === method));
  const oneStep = new Set(data.map((row) => row.step)).size === 1;
  return drawPlot({
    width,
    height,
    marginLeft: 46,
    marginBottom: 38,
    marginTop: 14,
    marginRight: 14,
    ariaLabel: `${options.title} by training step`,
    x: { label: "training step", labelAnchor: "center", labelArrow: "none", ticks: 5, tickFormat: wholeNumber, nice: false },
    y: { label: null, nice: true, ticks: 5, domain: domainOf(data, unit), tickFormat: (y: number) => (unit === "share" ? `${trim(y)}%` : trim(y)) },
    marks: [
      Plot.gridY({ strokeOpacity: 0.14, ticks: 5 }),
      Plot.axisX({ tickSize: 4, label: "training step", labelAnchor: "center", labelArrow: "none", ticks: 5, tickFormat: wholeNumber }),
      Plot.axisY({ tickSize: 0, label: null, ticks: 5, tickFormat: (y: number) => (unit === "share" ? `${trim(y)}%` : trim(y)) }),
      ...methods.map((method) =>
        Plot.areaY(
          data.filter((row) => row.method === method && row.high > row.low),
          { x: "step", y1: "low", y2: "high", fill: palette.color(method), fillOpacity: 0.16 },
        ),
      ),
      ...methods.map((method) =>
        Plot.lineY(
          data.filter((row) => row.method === method),
          { x: "step", y: "y", stroke: palette.color(method), strokeWidth: 2, strokeDasharray: palette.dash(method) },
        ),
      ),
      ...methods.map((method) =>
        Plot.dot(
          data.filter((row) => row.method === method),
          {
            x: "step",
            y: "y",
            r: oneStep || points.length <= 60 ? 2.5 : 1.2,
            fill: palette.color(method),
            title: (row: { y: number; step: number }) => `${method}, step ${row.step}: ${trim(row.y)}${unit === "share" ? "%" : ""}`,
          },
        ),
      ),
    ],
  });
}

export interface FigureOptions {
  readonly title: string;
  readonly width?: number;
  /** Classes of the SVG element. */
  readonly className?: string;
}

export interface StageShares {
  readonly method: string;
  /** Shares of the failing chains; they sum to 1. */
  readonly early: number;
  readonly mid: number;
  readonly late: number;
  /** Beside the name, e.g. the number of seeds. */
  readonly note?: string;
}

/** One full-width bar a method, split into where failing chains fail first. */
export function stagePlot(rows: readonly StageShares[], options: FigureOptions): string {
  const { width = 820 } = options;
  const names = rows.map((row) => nameOf(row));
  const parts = rows.flatMap((row) => {
    const name = nameOf(row);
    const mid = row.early + row.mid;
    return [
      { name, stage: "early", from: 0, to: row.early, share: row.early },
      { name, stage: "mid", from: row.early, to: mid, share: row.mid },
      { name, stage: "late", from: mid, to: mid + row.late, share: row.late },
    ];
  });
  const marginLeft = Math.min(240, 20 + 7 * Math.max(...names.map((name) => name.length)));
  return drawPlot({
    width,
    height: 44 + rows.length * 40,
    marginLeft,
    marginTop: 6,
    marginBottom: 38,
    marginRight: 24,
    ariaLabel: options.title,
    x: { domain: [0, 100] },
    y: { domain: names, label: null, padding: 0.28 },
    color: { domain: ["early", "mid", "late"], range: ["var(--early)", "var(--mid)", "var(--late)"] },
    marks: [
      Plot.axisX({ tickSize: 4, ticks: [0, 25, 50, 75, 100], tickFormat: (x: number) => `${x}%`, label: "share of failing chains", labelAnchor: "center", labelArrow: "none" }),
      Plot.axisY({ tickSize: 0, label: null, fontSize: 12 }),
      Plot.barX(parts, {
        y: "name",
        x1: (part: { from: number }) => part.from * 100,
        x2: (part: { to: number }) => part.to * 100,
        fill: "stage",
        insetRight: 1,
        title: (part: { name: string; stage: string; share: number }) => `${part.name}: ${(part.share * 100).toFixed(1)}% ${part.stage}`,
      }),
      Plot.text(
        parts.filter((part) => part.share * (width - marginLeft) >= 46),
        {
          y: "name",
          x: (part: { from: number; to: number }) => 50 * (part.from + part.to),
          text: (part: { stage: string; share: number }) => `${(part.share * 100).toFixed(1)}%`,
          fill: (part: { stage: string }) => `var(--on-${part.stage})`,
          fontSize: 12,
          fontWeight: 600,
        },
      ),
    ],
  }, options.className);
}

export interface BinRate {
  readonly method: string;
  /** 0 … number of bins − 1. */
  readonly bin: number;
  readonly value: number;
  /** Interval or ± one standard deviation. */
  readonly low: number | null;
  readonly high: number | null;
}

/** Failure accumulation by bin of the first failure point: per bin one dot a method, side by side, with whiskers. */
export function accumulationPlot(
  rows: readonly BinRate[],
  bins: readonly string[],
  options: FigureOptions & { readonly palette: Palette; readonly height?: number },
): string {
  const { palette, width = 820, height = 300 } = options;
  const methods = palette.methods.filter((method) => rows.some((row) => row.method === method));
  // Methods stand side by side inside a bin: bin b covers (b − 0.5, b + 0.5).
  const spread = Math.min(0.16, 0.62 / Math.max(1, methods.length));
  const place = (row: { method: string; bin: number }) =>
    row.bin + (methods.indexOf(row.method) - (methods.length - 1) / 2) * spread;
  const data = rows.map((row) => ({
    ...row,
    x: place(row),
    y: row.value * 100,
    y1: (row.low ?? row.value) * 100,
    y2: (row.high ?? row.value) * 100,
  }));
  const of = (method: string) => data.filter((row) => row.method === method).sort((a, b) => a.bin - b.bin);
  const empty = bins.map((_, b) => b).filter((b) => !rows.some((row) => row.bin === b));
  return drawPlot({
    width,
    height,
    marginLeft: 46,
    marginBottom: 44,
    marginTop: 14,
    marginRight: 14,
    ariaLabel: options.title,
    x: { domain: [-0.5, bins.length - 0.5] },
    y: { domain: [0, 100] },
    marks: [
      Plot.gridY({ strokeOpacity: 0.14, ticks: 5 }),
      Plot.ruleX(bins.slice(1).map((_, b) => b + 0.5), { strokeOpacity: 0.1 }),
      Plot.text(empty, { x: (b: number) => b, frameAnchor: "middle", text: () => "no chains", fillOpacity: 0.6, fontSize: width < NARROW ? 10 : 12 }),
      Plot.axisX({ tickSize: 0, ticks: bins.map((_, b) => b), tickFormat: (b: number) => bins[b], fontSize: width < NARROW ? 10.5 : 12, label: "first failure point (k*−1)/K", labelAnchor: "center", labelArrow: "none" }),
      Plot.axisY({ tickSize: 0, ticks: 5, tickFormat: (y: number) => `${y}%`, label: null }),
      ...methods.map((method) =>
        Plot.lineY(of(method), { x: "x", y: "y", stroke: palette.color(method), strokeOpacity: 0.45, strokeWidth: 1.5, strokeDasharray: palette.dash(method) }),
      ),
      ...methods.map((method) =>
        Plot.ruleX(
          of(method).filter((row) => row.y2 > row.y1),
          { x: "x", y1: "y1", y2: "y2", stroke: palette.color(method), strokeWidth: 1.5 },
        ),
      ),
      ...methods.map((method) =>
        Plot.dot(of(method), {
          x: "x",
          y: "y",
          r: 4,
          fill: palette.color(method),
          title: (row: { bin: number; y: number }) => `${method}, ${bins[row.bin]}: ${row.y.toFixed(1)}%`,
        }),
      ),
    ],
  }, options.className);
}

function nameOf(row: StageShares): string {
  return row.note === undefined ? row.method : `${row.method} ${row.note}`;
}

/** Runs Plot on a document of its own; nothing global is touched. */
export function drawPlot(options: Plot.PlotOptions, className = "plot"): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const figure = Plot.plot({ ...options, document: document as never, className: "plot", style: FONT }) as unknown as {
    readonly outerHTML: string;
    setAttribute(name: string, value: string): void;
  };
  // Plot's own class names its inner style rules and takes one word only.
  figure.setAttribute("class", className);
  figure.setAttribute("role", "img");
  return printable(figure.outerHTML);
}

function wholeNumber(x: number): string {
  return Number.isInteger(x) ? String(x) : "";
}

/** The values' range, widened where they hardly differ, so that noise does not look like a trend. */
function domainOf(data: readonly { readonly low: number; readonly high: number }[], unit: "share" | "number"): [number, number] {
  const low = Math.min(...data.map((row) => row.low));
  const high = Math.max(...data.map((row) => row.high));
  if (unit === "number") return high > low ? [low, high] : [low - Math.max(1e-3, Math.abs(low) * 0.1), high + Math.max(1e-3, Math.abs(high) * 0.1)];
  const missing = Math.max(0, 10 - (high - low)) / 2;
  const from = Math.max(0, Math.min(low - missing, 90));
  return [from, Math.min(100, Math.max(high + missing, from + 10))];
}

/** At most three significant digits, no trailing zeros. */
function trim(y: number): string {
  return String(Number(y.toPrecision(3))).replace("-", "−");
}
