import { FAR_BIN_KEYS, FFP_BINS } from "../evaluation/metrics.js";
import { ffpFormula } from "../evaluation/cascade.js";
import type { Curve } from "./curves.js";
import type { GalleryChain, MethodGroup, ReportRun } from "./data.js";
import { flatten } from "./flatten.js";
import { formatMeanSpread, formatValue } from "./format.js";
import { galleryMarkup, tagsOf, type GalleryTag, type ImageSources } from "./gallery.js";
import { html, trusted, type Content, type Markup } from "./markup.js";
import { methodLabel, type Palette } from "./palette.js";
import { accumulationPlot, curvePlot, stagePlot, type BinRate, type StageShares } from "./plots.js";
import { htmlTable, type Table } from "./tables.js";
import { kindsTable, metricsTable, sourceNote, summaryTable } from "./summary-table.js";

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Content;
}

export function summarySection(groups: readonly MethodGroup[]): Section {
  const severalSeeds = groups.some((group) => group.runs.length > 1);
  const spread = severalSeeds
    ? "Mean ± standard deviation over runs that differ in their seed; a method with one run shows its 95% bootstrap interval over questions."
    : "Brackets are 95% bootstrap intervals over questions.";
  const kinds = kindsTable(groups, "accuracy");
  return {
    id: "summary",
    title: "Summary",
    body: [
      htmlTable(summaryTable(groups), `${sourceNote(groups)} ${spread}`),
      leftOut(groups),
      html`<details><summary>All metrics</summary>${htmlTable(metricsTable(groups), "Every metric, and what it is a mean over.")}</details>`,
      kinds === null ? null : html`<details><summary>Accuracy by kind of question</summary>${htmlTable(kinds, "Accuracy by kind of question.")}</details>`,
    ],
  };
}

/** Nothing that could not be scored is hidden. */
function leftOut(groups: readonly MethodGroup[]): Content {
  const finals = groups.flatMap((group) => group.runs.flatMap((run) => (run.final === null ? [] : [{ run, summary: run.final.summary }])));
  const rows = finals.filter(({ summary }) => summary.unjudgedChains + summary.unscoredAnswers > 0);
  const training = groups.flatMap((group) => group.runs).reduce((sum, run) => sum + run.metrics.reduce((n, row) => n + row.unscored, 0), 0);
  if (rows.length === 0 && training === 0) return finals.length === 0 ? null : html`<p class="muted">Every evaluated chain could be judged and scored.</p>`;
  return html`<p class="muted">Kept out of every mean: ${rows.map(
    ({ run, summary }) =>
      html`${run.name}: ${summary.unjudgedChains} of ${summary.chains} chains not judged, ${summary.unscoredAnswers} answers not scored. `,
  )}${training > 0 ? `${training} training completions could not be scored.` : null}</p>`;
}

export function curvesSection(curves: readonly Curve[], groups: readonly MethodGroup[], palette: Palette): Section | null {
  const drawn = curves.filter((curve) => curve.points.length > 0);
  if (drawn.length === 0) return null;
  const severalSeeds = groups.some((group) => group.runs.length > 1);
  const [main, more] = [drawn.slice(0, 6), drawn.slice(6)];
  const figure = (curve: Curve) =>
    html`<figure><h3>${curve.title}</h3>${trusted(curvePlot(curve.points, { title: curve.title, unit: curve.unit, palette }))}<figcaption>${
      curve.source === "evaluations"
        ? "held-out questions"
        : curve.window === 1
          ? "training rollouts"
          : `training rollouts, means of ${curve.window} steps`
    }</figcaption></figure>`;
  return {
    id: "curves",
    title: "Learning curves",
    body: [
      severalSeeds ? html`<p>Lines are means over seeds; bands are ± one standard deviation.</p>` : null,
      lineLegend(palette, groups.map((group) => group.method).filter((method) => drawn.some((curve) => curve.points.some((point) => point.method === method)))),
      html`<div class="grid">${main.map(figure)}</div>`,
      more.length === 0 ? null : html`<details><summary>More curves</summary><div class="grid">${more.map(figure)}</div></details>`,
      html`<details><summary>Numbers behind the curves</summary>${htmlTable(curveNumbers(drawn), "Mean ± standard deviation over seeds.")}</details>`,
    ],
  };
}

function curveNumbers(curves: readonly Curve[]): Table {
  return {
    columns: [
      { title: "Curve", align: "left" },
      { title: "Method", align: "left" },
      { title: "Step", align: "right" },
      { title: "Value", align: "right" },
      { title: "Seeds", align: "right" },
    ],
    rows: curves.flatMap((curve) =>
      curve.points.map((point) => [
        curve.title,
        methodLabel(point.method),
        String(point.step),
        formatMeanSpread(point, curve.unit),
        String(point.n),
      ]),
    ),
  };
}

export function stagesSection(groups: readonly MethodGroup[]): Section | null {
  const rows = groups.flatMap((group): StageShares[] => {
    const { early, mid, late } = group.values;
    if (early.mean === null || mid.mean === null || late.mean === null) return [];
    return [{ method: methodLabel(group.method), early: early.mean, mid: mid.mean, late: late.mean }];
  });
  if (rows.length === 0) return null;
  const legend = (["early", "mid", "late"] as const).map(
    (stage, i) =>
      html`<li><span class="swatch" style="background:var(--${stage})"></span>${stage} (${["below 1/3", "1/3 to below 2/3", "2/3 and above"][i]})</li>`,
  );
  return {
    id: "stages",
    title: "Where chains first fail",
    body: [
      html`<p>Among chains with an invalid step, the share that first fails in the early, middle or late third. The first failure point of a chain whose first invalid step is the k*-th of K is ${printFormula()}.</p>`,
      html`<figure><ul class="legend">${legend}</ul>${bothWidths((size) => stagePlot(rows, { title: "Where failing chains fail first", ...size }))}</figure>`,
    ],
  };
}

export function accumulationSection(groups: readonly MethodGroup[], palette: Palette): Section | null {
  const rows = groups.flatMap((group) =>
    FAR_BIN_KEYS.flatMap((key, bin): BinRate[] => {
      const { mean, sd } = group.values[key];
      if (mean === null) return [];
      const interval = group.runs.length === 1 ? group.runs[0].final?.summary.metrics[key] : undefined;
      return [
        {
          method: group.method,
          bin,
          value: mean,
          low: interval?.low ?? (sd === null ? null : Math.max(0, mean - sd)),
          high: interval?.high ?? (sd === null ? null : Math.min(1, mean + sd)),
        },
      ];
    }),
  );
  if (rows.length === 0) return null;
  const methods = groups.map((group) => group.method).filter((method) => rows.some((row) => row.method === method));
  return {
    id: "accumulation",
    title: "How failures accumulate",
    body: [
      html`<p>Failure accumulation rate (FAR): the share of invalid steps among those after the first failure, by where that failure lies. Whiskers are ± one standard deviation over seeds, or the 95% bootstrap interval of a single run. A last step that fails has nothing after it and is in no bin.</p>`,
      html`<figure>${lineLegend(palette, methods)}${bothWidths((size) =>
        accumulationPlot(rows, FFP_BINS, { title: "Failure accumulation rate by first failure point", palette, ...size }),
      )}<details><summary>Numbers behind the figure</summary>${htmlTable(binNumbers(methods, rows), "FAR by first failure point.")}</details></figure>`,
    ],
  };
}

function binNumbers(methods: readonly string[], rows: readonly BinRate[]): Table {
  return {
    columns: [{ title: "First failure point", align: "left" }, ...methods.map((method) => ({ title: methodLabel(method), align: "right" as const }))],
    rows: FFP_BINS.map((bin, b) => [
      bin,
      ...methods.map((method) => formatValue(rows.find((row) => row.method === method && row.bin === b)?.value, "share")),
    ]),
  };
}

const FILTERS: readonly { readonly tag: GalleryTag | "all"; readonly label: string }[] = [
  { tag: "all", label: "All" },
  { tag: "right", label: "Right answer" },
  { tag: "wrong", label: "Wrong answer" },
  { tag: "early", label: "Early failure" },
  { tag: "unscored", label: "Not scored" },
];

export function gallerySection(chains: readonly GalleryChain[], images: ImageSources): Section | null {
  if (chains.length === 0) return null;
  const count = (tag: GalleryTag | "all") => chains.filter((chain) => tag === "all" || tagsOf(chain).includes(tag)).length;
  const shaded = chains.some((chain) => chain.tokens !== null);
  return {
    id: "gallery",
    title: "Chains",
    body: [
      html`<p>A selection, not a sample: right and wrong answers, with and without early failures, in equal numbers where there are enough. Each step shows its verdict.${
        shaded
          ? html` The shade behind a token is its advantage, on one scale for all chains: <span class="scale" role="img" aria-label="orange: negative, blue: positive"></span> pushed down to pushed up. Point at a token to read the number.`
          : null
      }</p>`,
      html`<div class="filter" role="group" aria-label="Show chains" hidden>${FILTERS.filter(({ tag }) => tag === "all" || count(tag) > 0).map(
        ({ tag, label }) =>
          html`<button type="button" data-show="${tag}" aria-pressed="${tag === "all" ? "true" : "false"}">${label} (${count(tag)})</button>`,
      )}</div>`,
      galleryMarkup(chains, images),
    ],
  };
}

/** Keys on which the runs agree once, the others by run. */
export function configurationSection(runs: readonly ReportRun[]): Section | null {
  const flat = runs.map((run) => new Map(flatten(run.config)));
  const configured = runs.map((_, r) => r).filter((r) => flat[r].size > 0);
  if (configured.length === 0) return null;
  const keys = [...new Set(configured.flatMap((r) => [...flat[r].keys()]))];
  const same = keys.filter((key) => new Set(configured.map((r) => flat[r].get(key))).size === 1);
  const different = keys.filter((key) => !same.includes(key));
  return {
    id: "configuration",
    title: "Configuration",
    body: [
      different.length === 0
        ? null
        : htmlTable(
            {
              columns: [{ title: "Run", align: "left" }, ...different.map((key) => ({ title: key, align: "left" as const }))],
              rows: configured.map((r) => [runs[r].name, ...different.map((key) => flat[r].get(key) ?? "")]),
            },
            "Settings in which the runs differ.",
          ),
      html`<details><summary>Settings that ${configured.length === 1 ? "the run has" : "all runs share"}</summary>${htmlTable(
        {
          columns: [
            { title: "Key", align: "left" },
            { title: "Value", align: "left" },
          ],
          rows: same.map((key) => [key, flat[configured[0]].get(key) ?? ""]),
        },
        "Shared settings.",
      )}</details>`,
    ],
  };
}

function lineLegend(palette: Palette, methods: readonly string[]): Markup {
  return html`<ul class="legend">${methods.map(
    (method) =>
      html`<li><svg width="30" height="10" aria-hidden="true"><line x1="0" x2="30" y1="5" y2="5" stroke="${palette.color(method)}" stroke-width="2.5" stroke-dasharray="${palette.dash(
        method,
      )}"></line><circle cx="15" cy="5" r="3" fill="${palette.color(method)}"></circle></svg>${methodLabel(method)}</li>`,
  )}</ul>`;
}

/** A full-width figure drawn twice, for wide pages and for phones, where the style sheet shows the narrow one. */
function bothWidths(draw: (size: { readonly width: number; readonly className: string }) => string): Markup {
  return trusted(draw({ width: 820, className: "plot wide" }) + draw({ width: 360, className: "plot narrow" }));
}

function printFormula(): string {
  return ffpFormula.replace("-", "−");
}
