/** Who worked and who waited, and when: plain data for a report. */

export type SpanKind =
  /** Completions being sampled by the server. */
  | "sample"
  /** Log-probabilities of the current or the reference policy. */
  | "forward"
  /** Gradient and optimiser step. */
  | "train"
  /** Weights made available for sampling. */
  | "publish"
  | "save"
  | "load"
  /** Held back here: an update waits for samplers, or samples for an update. */
  | "wait";

export interface TimelineSpan {
  readonly kind: SpanKind;
  /** Milliseconds since the engine was opened. */
  readonly start: number;
  readonly end: number;
  /** Requests to the server, and the tokens in them. */
  readonly requests?: number;
  readonly tokens?: number;
}

/** Oldest spans beyond `keep` are dropped. */
export class Timeline {
  private readonly origin = performance.now();
  private list: TimelineSpan[] = [];

  constructor(
    private readonly onSpan?: (span: TimelineSpan) => void,
    private readonly keep = 20_000,
  ) {}

  get spans(): readonly TimelineSpan[] {
    return this.list;
  }

  async measure<T>(kind: SpanKind, body: (note: (about: { requests?: number; tokens?: number }) => void) => Promise<T>): Promise<T> {
    const start = performance.now();
    let about = {};
    try {
      return await body((more) => (about = { ...about, ...more }));
    } finally {
      this.add(kind, start, about);
    }
  }

  /** A span that began at `start` (performance.now) and ends now; one shorter than a millisecond is left out. */
  add(kind: SpanKind, start: number, about: { requests?: number; tokens?: number } = {}): void {
    const end = performance.now();
    if (kind === "wait" && end - start < 1) return;
    const span: TimelineSpan = { kind, start: start - this.origin, end: end - this.origin, ...about };
    this.list.push(span);
    if (this.list.length > this.keep * 1.1) this.list = this.list.slice(-this.keep);
    this.onSpan?.(span);
  }
}
