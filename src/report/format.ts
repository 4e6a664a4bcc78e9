import type { Estimate } from "../evaluation/bootstrap.js";
import type { MetricInfo } from "../evaluation/metrics.js";
import { mean, sampleStd } from "../util/statistics.js";

export type Unit = MetricInfo["unit"];

/** What stands for a value that does not exist. */
export const NONE = "–";

const MINUS = "−";

/** `43.1%` for a share, `5.23` for a number. */
export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return unit === "share" ? `${fixed(value * 100, 1)}%` : fixed(value, digitsOf(value));
}

/** `43.1% [40.2, 46.0]`. */
export function formatEstimate(estimate: Estimate, unit: Unit): string {
  const value = formatValue(estimate.value, unit);
  if (estimate.value === null || estimate.low === null || estimate.high === null) return value;
  const scale = unit === "share" ? 100 : 1;
  const digits = unit === "share" ? 1 : digitsOf(estimate.value);
  return `${value} [${fixed(estimate.low * scale, digits)}, ${fixed(estimate.high * scale, digits)}]`;
}

/** `+2.1 [+0.3, +3.9]`, in percentage points for a share; `*` after an interval that leaves out 0. */
export function formatDifference(estimate: Estimate, unit: Unit): string {
  if (estimate.value === null) return NONE;
  const scale = unit === "share" ? 100 : 1;
  const digits = unit === "share" ? 1 : 2;
  const signed = (x: number) => (x > 0 ? "+" : "") + fixed(x * scale, digits);
  if (estimate.low === null || estimate.high === null) return signed(estimate.value);
  const clear = estimate.low > 0 || estimate.high < 0 ? " *" : "";
  return `${signed(estimate.value)} [${signed(estimate.low)}, ${signed(estimate.high)}]${clear}`;
}

/** `43.1 ± 1.2%`; a single value has no spread. */
export function formatMeanSpread(spread: MeanSpread, unit: Unit): string {
  if (spread.mean === null) return NONE;
  if (spread.sd === null) return formatValue(spread.mean, unit);
  const scale = unit === "share" ? 100 : 1;
  const digits = unit === "share" ? 1 : digitsOf(spread.mean);
  return `${fixed(spread.mean * scale, digits)} ± ${fixed(spread.sd * scale, digits)}${unit === "share" ? "%" : ""}`;
}

/** `1,234` and `12.3 s`-like plain numbers keep at most three significant decimals. */
export function formatCount(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

export interface MeanSpread {
  readonly mean: number | null;
  /** Sample (n−1) standard deviation; `null` for fewer than two values. */
  readonly sd: number | null;
  readonly n: number;
}

/** Mean and spread of the values that exist. */
export function meanSpread(values: readonly (number | null | undefined)[]): MeanSpread {
  const present = values.filter((x): x is number => x !== null && x !== undefined && Number.isFinite(x));
  const n = present.length;
  return { mean: n === 0 ? null : mean(present), sd: n < 2 ? null : sampleStd(present), n };
}

function digitsOf(value: number): number {
  const size = Math.abs(value);
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.01 || size === 0 ? 2 : 4;
}

/** toFixed with a true minus sign and no negative zero. */
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  if (/^-0(\.0+)?$/.test(text)) return text.slice(1);
  return text.startsWith("-") ? MINUS + text.slice(1) : text;
}
