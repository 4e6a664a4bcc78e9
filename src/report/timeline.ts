/** Who was at work when: what of a run overlapped, and what waited for what. */
import * as Plot from "@observablehq/plot";
import type { TimelineSpan } from "../store/types.js";
import type { ReportRun } from "./data.js";
import { html, trusted } from "./markup.js";
import { drawPlot } from "./plots.js";
import type { Section } from "./sections.js";
import { htmlTable } from "./tables.js";

const LANES: readonly { readonly lane: TimelineSpan["lane"]; readonly label: string }[] = [
  { lane: "sample", label: "sampling" },
  { lane: "judge", label: "judging, rewards" },
  { lane: "reference", label: "reference" },
  { lane: "train", label: "learning" },
  { lane: "evaluate", label: "evaluation" },
  { lane: "save", label: "saving" },
];

/** Steps in the picture, the last ones of a run. */
const SHOWN_STEPS = 6;
/** Runs with a picture of their own. */
const SHOWN_RUNS = 4;

export interface LaneUse {
  readonly lane: TimelineSpan["lane"];
  /** Seconds in which at least one piece of this work was under way. */
  readonly busy: number;
  /** Of them, those in which nothing else was. */
  readonly alone: number;
}

/** Seconds of each kind of work, and of none at all: a resumed run's pause between two sittings is idle too. */
export function laneUse(spans: readonly TimelineSpan[]): { readonly lanes: readonly LaneUse[]; readonly idle: number; readonly total: number } {
  const edges = spans.flatMap(({ lane, start, end }) => [{ at: start, lane, change: 1 }, { at: end, lane, change: -1 }]).sort((a, b) => a.at - b.at);
  const open = new Map(LANES.map(({ lane }) => [lane, 0]));
  const use = new Map(LANES.map(({ lane }) => [lane, { busy: 0, alone: 0 }]));
  let idle = 0;
  edges.forEach(({ at, lane, change }, i) => {
    open.set(lane, (open.get(lane) ?? 0) + change);
    const seconds = ((edges[i + 1]?.at ?? at) - at) / 1000;
    const working = [...open].flatMap(([name, count]) => (count > 0 ? [name] : []));
    if (working.length === 0) idle += seconds;
    for (const name of working) {
      const sum = use.get(name);
      if (sum === undefined) continue;
      sum.busy += seconds;
      if (working.length === 1) sum.alone += seconds;
    }
  });
  const total = edges.length === 0 ? 0 : (edges[edges.length - 1].at - edges[0].at) / 1000;
  return { lanes: LANES.flatMap(({ lane }) => ({ lane, ...(use.get(lane) ?? { busy: 0, alone: 0 }) })).filter(({ busy }) => busy > 0), idle, total };
}

/** `null` where no run has a timeline. */
export function timelineSection(runs: readonly ReportRun[]): Section | null {
  const shown = runs.filter(({ timeline }) => timeline.length > 0).slice(0, SHOWN_RUNS);
  if (shown.length === 0) return null;
  return {
    id: "timeline",
    title: "Who worked when",
    body: [
      html`<p>Bars are pieces of work of the last ${SHOWN_STEPS} steps, with the number of the step they belong to; darker and lighter by turns. With <code>sampling.maxStaleness</code> above 0, later batches are sampled and judged while an earlier one is learned from.</p>`,
      ...shown.map((run) => html`<figure><h3>${run.name}</h3>${trusted(timelinePlot(run))}${useTable(run)}</figure>`),
    ],
  };
}

function useTable({ name, timeline }: ReportRun) {
  const { lanes, idle, total } = laneUse(timeline);
  const share = (seconds: number) => `${seconds.toFixed(1)} s (${total > 0 ? ((100 * seconds) / total).toFixed(1) : "0.0"}%)`;
  const columns = [{ title: "Work", align: "left" as const }, { title: "Under way", align: "right" as const }, { title: "Alone", align: "right" as const }];
  const rows = lanes.map(({ lane, busy, alone }) => [labelOf(lane), share(busy), share(alone)]);
  return html`<details><summary>Seconds over the whole run</summary>${htmlTable(
    { columns, rows: [...rows, ["nothing of these", share(idle), ""]] },
    `${name}: of ${total.toFixed(1)} seconds; shares of work that overlaps add up to more than 100%.`,
  )}</details>`;
}

function timelinePlot({ timeline }: ReportRun): string {
  const last = Math.max(...timeline.map(({ step }) => step));
  const spans = timeline.filter(({ step }) => step > last - SHOWN_STEPS);
  const begin = Math.min(...spans.map(({ start }) => start));
  const bars = spans.map(({ lane, step, start, end }) => ({ label: labelOf(lane), step, from: (start - begin) / 1000, to: (end - begin) / 1000 }));
  const labels = LANES.map(({ label }) => label).filter((label) => bars.some((bar) => bar.label === label));
  const length = Math.max(...bars.map(({ to }) => to), 1e-3);
  const width = 820;
  return drawPlot({
    ...{ width, height: 46 + 30 * labels.length, marginLeft: 122, marginTop: 4, marginBottom: 38, marginRight: 16 },
    ariaLabel: "Work of the last steps over time",
    x: { domain: [0, length] },
    y: { domain: labels, label: null, padding: 0.25 },
    marks: [
      Plot.axisX({ tickSize: 4, ticks: 6, label: "seconds", labelAnchor: "center", labelArrow: "none" }),
      Plot.axisY({ tickSize: 0, label: null, fontSize: 12 }),
      Plot.barX(bars, {
        ...{ y: "label", x1: "from", x2: "to", fill: "var(--late)", insetRight: 0.5 },
        fillOpacity: (bar: { step: number }) => (bar.step % 2 === 0 ? 1 : 0.6),
        title: (bar: { label: string; step: number; from: number; to: number }) => `${bar.label}, step ${bar.step}: ${(bar.to - bar.from).toFixed(2)} s`,
      }),
      Plot.text(
        bars.filter(({ from, to }) => ((to - from) / length) * (width - 138) >= 18),
        { y: "label", x: (bar: { from: number; to: number }) => (bar.from + bar.to) / 2, text: (bar: { step: number }) => String(bar.step), fill: "var(--on-late)", fontSize: 11, fontWeight: 600 },
      ),
    ],
  });
}

function labelOf(lane: TimelineSpan["lane"]): string {
  return LANES.find((known) => known.lane === lane)?.label ?? lane;
}
