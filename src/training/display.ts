import pc from "picocolors";
import { accountText } from "../judges/account-text.js";
import type { EvaluationRow, MetricsRow, TimingsRow } from "../store/types.js";

/** What a training tells while it runs. */
export interface Display {
  /** One line for people: where the run is, what was skipped. */
  message(text: string): void;
  /** What the loop is doing now (sampling, judging, …). */
  phase(name: string): void;
  step(metrics: MetricsRow, timings: TimingsRow, totalSteps: number): void;
  evaluation(row: EvaluationRow): void;
  /** What the judge has cost so far: one line, told again and again. */
  account?(text: string): void;
  close(): void;
}

/** Tells nothing. */
export const silentDisplay: Display = { message() {}, phase() {}, step() {}, evaluation() {}, close() {} };

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A live block of three lines on a terminal, one plain line a step elsewhere. */
export function makeDisplay(output: Output, live = output.isTTY === true): Display {
  return live ? new LiveDisplay(output) : plainDisplay(output);
}

function plainDisplay(output: Output): Display {
  const remaining = remainingTime();
  return {
    message: (text) => output.write(`${text}\n`),
    phase: () => undefined,
    step: (metrics, timings, total) => {
      const left = remaining(metrics.step, timings.total, total);
      const parts = [`step ${metrics.step}/${total}`, ...facts(metrics), ...speed(timings), `${duration(left)} left`];
      output.write(`${parts.join("  ")}\n`);
    },
    evaluation: (row) => output.write(`${evaluationLine(row)}\n`),
    close: () => undefined,
  };
}

/** Redraws its lines in place; messages and evaluations scroll above them. */
class LiveDisplay implements Display {
  private lines: string[] = [];
  private progress = "";
  private facts = "";
  private now = "";
  private spent = "";
  private readonly remaining = remainingTime();

  constructor(private readonly output: Output) {}

  message(text: string): void {
    this.erase();
    this.output.write(`${text}\n`);
    this.draw();
  }

  phase(name: string): void {
    this.now = name;
    this.erase();
    this.draw();
  }

  step(metrics: MetricsRow, timings: TimingsRow, total: number): void {
    const left = this.remaining(metrics.step, timings.total, total);
    const tail = ` ${metrics.step}/${total}  ${duration(left)} left`;
    const width = Math.max(10, Math.min(40, this.width - tail.length - 2));
    const done = Math.round((width * metrics.step) / total);
    this.progress = `${pc.cyan("█".repeat(done))}${pc.dim("░".repeat(width - done))}${tail}`;
    this.facts = [...facts(metrics), ...speed(timings)].join("  ");
    this.erase();
    this.draw();
  }

  evaluation(row: EvaluationRow): void {
    this.message(evaluationLine(row));
  }

  account(text: string): void {
    if (text === this.spent) return;
    this.spent = text;
    this.erase();
    this.draw();
  }

  close(): void {
    this.now = "";
    this.erase();
    this.draw();
    this.lines = [];
  }

  private get width(): number {
    return this.output.columns ?? 80;
  }

  private erase(): void {
    // One terminal row a line (they are cut to its width): up and clear, from the last to the first.
    this.output.write(this.lines.map(() => "\u001b[1A\u001b[2K").join(""));
    this.lines = [];
  }

  private draw(): void {
    this.lines = [this.progress, ...wrap(this.facts, this.width), pc.dim(this.spent.slice(0, Math.max(1, this.width - 1))), pc.dim(this.now)].filter((line) => line !== "" && line !== pc.dim(""));
    this.output.write(this.lines.map((line) => `${line}\n`).join(""));
  }
}

/** Values of a step that exist, as `name value`. */
function facts(m: MetricsRow): string[] {
  const share = (name: string, value: number | null) => (value === null ? [] : [`${name} ${(100 * value).toFixed(1)}%`]);
  const number = (name: string, value: number | null, digits = 3) => (value === null ? [] : [`${name} ${value.toFixed(digits)}`]);
  const parts = [m.rewardAnswer, m.rewardProcess, m.rewardLength].map((value) => (value === null ? "–" : value.toFixed(2)));
  const reward = m.rewardMean === null ? [] : [`reward ${m.rewardMean.toFixed(3)} (${parts.join(" + ")})`];
  return [
    ...number("loss", m.loss, 4),
    ...reward,
    ...share("accuracy", m.accuracy),
    ...share("valid steps", m.stepValidity),
    ...share("early failures", m.earlyShare),
    ...number("kl", m.kl, 4),
    ...(m.unscored > 0 ? [`unscored ${m.unscored}`] : []),
    ...(m.skippedPrompts > 0 ? [`too long ${m.skippedPrompts}`] : []),
  ];
}

function speed(t: TimingsRow): string[] {
  const judge = t.judgeAccount === undefined ? [] : [`judge: ${accountText(t.judgeAccount)}`];
  return [`${Math.round(t.tokensPerSecond)} tok/s`, `${t.total.toFixed(1)} s`, ...judge];
}

function evaluationLine(row: EvaluationRow): string {
  const share = (name: string, value: number | null) => (value === null ? [] : [`${name} ${(100 * value).toFixed(1)}%`]);
  const values = [
    ...share("accuracy", row.accuracy),
    ...share("valid steps", row.stepValidity),
    ...share("early failures", row.early),
    ...share("FAR", row.far),
  ];
  return `evaluation at step ${row.step} (${row.questions} questions, temperature ${row.temperature}): ${values.join("  ")}`;
}

/** Seconds left, from a moving mean of the steps' times. */
function remainingTime(): (step: number, seconds: number, total: number) => number {
  let mean: number | null = null;
  return (step, seconds, total) => {
    mean = mean === null ? seconds : 0.9 * mean + 0.1 * seconds;
    return mean * (total - step);
  };
}

/** 75 → "1:15", 3675 → "1:01:15". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** Breaks at the double blanks between values, so that no line is wider than the terminal. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of text.split("  ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + part.length < width) lines[lines.length - 1] = `${last}  ${part}`;
    else lines.push(part.slice(0, Math.max(1, width - 1)));
  }
  return lines;
}
