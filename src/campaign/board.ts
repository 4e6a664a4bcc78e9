import pc from "picocolors";
import type { MetricsRow } from "../store/types.js";
import { duration, type Display } from "../training/display.js";

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The line of one run on the board. */
export interface Track {
  readonly display: Display;
  /** Progress of an evaluation after the training. */
  evaluating(done: number, total: number): void;
  /** Takes the line off. */
  end(): void;
}

/** Seconds between plain lines of one run. */
const PLAIN_EVERY = 10;

/** Several runs side by side: one line each, redrawn in place on a terminal; elsewhere a plain line now and then. */
export class Board {
  private readonly lines = new Map<string, string>();
  private readonly started = performance.now();
  private drawn = 0;
  private footer = "";

  constructor(
    private readonly output: Output,
    private readonly live = output.isTTY === true,
  ) {}

  get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  message(text: string): void {
    this.erase();
    this.output.write(`${text}\n`);
    this.draw();
  }

  /** What stands under the runs; shown on a terminal only. */
  setFooter(text: string): void {
    this.footer = text;
    this.redraw();
  }

  track(name: string): Track {
    let said = this.seconds;
    let facts = "";
    let at = "";
    const show = (text: string, spoken: boolean) => {
      if (this.live) {
        this.lines.set(name, text);
        this.redraw();
      } else if (spoken) {
        said = this.seconds;
        this.output.write(`${text}\n`);
      }
    };
    const due = () => this.seconds - said >= PLAIN_EVERY;
    const display: Display = {
      message: (text) => this.message(`${name}: ${text}`),
      phase: (phase) => show(`${name}  ${at}  ${facts}${phase === "" ? "" : `  ${pc.dim(phase)}`}`, false),
      step: (metrics, _, total) => {
        at = this.live ? `${bar(metrics.step / total)} ${metrics.step}/${total}` : `step ${metrics.step}/${total}`;
        facts = stepFacts(metrics);
        show(`${name}  ${at}  ${facts}`, due() || metrics.step === total || metrics.step === 1);
      },
      evaluation: () => undefined,
      close: () => undefined,
    };
    show(`${name}  starting`, false);
    return {
      display,
      evaluating: (done, total) => show(`${name}  ${this.live ? `${bar(done / total)} ` : ""}evaluating: ${done} of ${total} questions`, due() || done === total),
      end: () => {
        this.lines.delete(name);
        this.redraw();
      },
    };
  }

  close(): void {
    this.lines.clear();
    this.footer = "";
    this.redraw();
  }

  private redraw(): void {
    this.erase();
    this.draw();
  }

  private erase(): void {
    if (this.drawn > 0) this.output.write("\u001b[1A\u001b[2K".repeat(this.drawn));
    this.drawn = 0;
  }

  private draw(): void {
    if (!this.live) return;
    const width = (this.output.columns ?? 100) - 1;
    const lines = [...this.lines.values(), ...(this.footer === "" ? [] : [pc.dim(`${duration(this.seconds)}  ${this.footer}`)])];
    this.output.write(lines.map((line) => `${cut(line, width)}\n`).join(""));
    this.drawn = lines.length;
  }
}

function stepFacts({ accuracy, stepValidity, earlyShare, loss }: MetricsRow): string {
  const share = (label: string, value: number | null) => (value === null ? [] : [`${label} ${(100 * value).toFixed(0).padStart(3)}%`]);
  const parts = [...share("accuracy", accuracy), ...share("valid steps", stepValidity), ...share("early failures", earlyShare)];
  return parts.length > 0 ? parts.join("  ") : `loss ${loss.toFixed(3)}`;
}

function bar(share: number): string {
  const width = 16;
  const done = Math.round(width * Math.min(1, share));
  return pc.cyan("█".repeat(done)) + pc.dim("░".repeat(width - done));
}

/** Cuts to a number of visible characters; colour codes take none and are closed after the cut. */
function cut(text: string, width: number): string {
  let seen = 0;
  let out = "";
  for (const part of text.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith("\u001b")) out += part;
    else {
      out += part.slice(0, Math.max(0, width - seen));
      seen += part.length;
    }
  }
  return out;
}
