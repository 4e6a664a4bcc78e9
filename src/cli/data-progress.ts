/** Progress of `data prepare`: bars that are redrawn on a terminal, plain lines elsewhere. */
import { megabytes } from "../datasets/catalog/obtain.js";
import type { PrepareEvent } from "../datasets/catalog/types.js";

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface Transfer {
  readonly path: string;
  received: number;
  size: number | null;
  /** Bytes at the first event: what an earlier run has brought. */
  from: number | null;
  readonly since: number;
}

const barWidth = 24;
const mostBars = 6;

export class PrepareProgress {
  private readonly transfers = new Map<string, Transfer>();
  private readonly told = new Map<string, number>();
  private drawn = 0;
  private lastDraw = 0;
  private files = 0;
  private here = 0;
  private bytes = 0;
  private work: string | null = null;

  constructor(
    private readonly output: ProgressOutput,
    private readonly now: () => number = Date.now,
  ) {}

  tell(event: PrepareEvent): void {
    const { dataset } = event;
    if (event.kind === "note") this.line(`${dataset}: ${event.message}`);
    else if (event.kind === "retry") this.line(`${dataset}: ${event.path}: ${event.message}`);
    else if (event.kind === "work") this.working(event);
    else this.file(event);
    this.draw(false);
  }

  /** Ends the bars of a data set and says what was fetched. */
  finish(): void {
    this.clear();
    this.transfers.clear();
    this.work = null;
    if (this.files > 0 || this.here > 0) this.output.write(`fetched ${this.files} files (${megabytes(this.bytes)}), ${this.here} were here already\n`);
  }

  private file(event: Extract<PrepareEvent, { kind: "file" }>): void {
    const key = `${event.dataset} ${event.path}`;
    if (event.state === "here") {
      this.here++;
      return;
    }
    const transfer = this.transfers.get(key) ?? { path: key, received: 0, size: event.size, from: null, since: this.now() };
    if (event.state === "progress") {
      transfer.from ??= event.received;
      transfer.received = event.received;
      transfer.size = event.size;
      this.tenths(key, transfer);
    }
    if (event.state === "done") {
      this.transfers.delete(key);
      this.files++;
      this.bytes += Math.max(0, event.received - (transfer.from ?? 0));
      // Thousands of small files would drown the rest.
      if (event.received >= 1e6 || this.files % 100 === 0) this.plain(`${key}: done, ${megabytes(event.received)}`);
    } else this.transfers.set(key, transfer);
  }

  /** Elsewhere than on a terminal a long transfer says something at each tenth. */
  private tenths(key: string, { received, size }: Transfer): void {
    if (size === null || size < 10e6) return;
    const tenth = Math.floor((10 * received) / size);
    if (tenth > (this.told.get(key) ?? 0) && tenth < 10) {
      this.told.set(key, tenth);
      this.plain(`${key}: ${tenth}0% of ${megabytes(size)}`);
    }
  }

  private working({ dataset, what, done, total }: Extract<PrepareEvent, { kind: "work" }>): void {
    const key = `${dataset} ${what}`;
    this.work = total === null ? `${key}: ${done}` : `${bar(done, total)} ${key} ${done}/${total}`;
    if (done === total) {
      this.work = null;
      this.plain(`${key}: ${done}`);
    }
  }

  /** A line that stays, above the bars. */
  private line(text: string): void {
    this.clear();
    this.output.write(`${text}\n`);
  }

  private plain(text: string): void {
    if (!this.output.isTTY) this.output.write(`${text}\n`);
  }

  private clear(): void {
    if (this.drawn > 0) this.output.write(`\x1b[${this.drawn}A\x1b[0J`);
    this.drawn = 0;
  }

  private draw(force: boolean): void {
    if (!this.output.isTTY || (!force && this.now() - this.lastDraw < 100)) return;
    this.lastDraw = this.now();
    const width = (this.output.columns ?? 80) - 1;
    const active = [...this.transfers.values()];
    const lines = active.slice(0, mostBars).map((one) => this.transferLine(one));
    if (active.length > mostBars) lines.push(`… and ${active.length - mostBars} more`);
    if (this.work !== null) lines.push(this.work);
    this.clear();
    for (const line of lines) this.output.write(`${line.slice(0, width)}\n`);
    this.drawn = lines.length;
  }

  private transferLine({ path, received, size, from, since }: Transfer): string {
    const seconds = (this.now() - since) / 1000;
    const speed = seconds > 0.5 ? (received - (from ?? 0)) / seconds : 0;
    const left = size !== null && speed > 0 ? `, ${Math.ceil((size - received) / speed)} s left` : "";
    const rate = speed > 0 ? `, ${megabytes(speed)}/s` : "";
    return size === null ? `${path} ${megabytes(received)}${rate}` : `${bar(received, size)} ${path} ${megabytes(received)} of ${megabytes(size)}${rate}${left}`;
  }
}

function bar(done: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.round(share * barWidth);
  return `[${"=".repeat(full)}${" ".repeat(barWidth - full)}] ${String(Math.floor(share * 100)).padStart(3)}%`;
}
