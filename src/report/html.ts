import { createHash } from "node:crypto";
import { writeFileAtomic } from "../util/atomic-file.js";
import { curvesOf } from "./curves.js";
import { groupByMethod, type ReportRun } from "./data.js";
import type { ImageSources } from "./gallery.js";
import { imageSources } from "./images.js";
import { html, trusted, type Markup } from "./markup.js";
import { paletteOf, type Palette } from "./palette.js";
import {
  accumulationSection,
  configurationSection,
  curvesSection,
  gallerySection,
  stagesSection,
  summarySection,
  type Section,
} from "./sections.js";
import { selectChains } from "./select.js";
import { styleSheet } from "./style.js";
import { timelineSection } from "./timeline.js";

export interface ReportInput {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly lede?: string;
  /** Methods are shown in the order of their first run. */
  readonly runs: readonly ReportRun[];
  /** Further sections, after the figures and before the gallery. */
  readonly sections?: readonly Section[];
  /** Most chains in the gallery. */
  readonly galleryChains?: number;
  /** When it was made; the clock unless given. */
  readonly date?: Date;
}

/** Writes the report as one self-contained HTML file, whole or not at all. */
export async function writeReport(input: ReportInput, path: string): Promise<void> {
  const chains = selectChains(input.runs.flatMap((run) => run.gallery), input.galleryChains ?? 48);
  const images = await imageSources(chains);
  writeFileAtomic(path, renderReport(input, chains, images));
}

/** The page's source. It asks for nothing outside itself: the content policy forbids what a mistake might let in. */
export function renderReport(input: ReportInput, chains: ReportRun["gallery"], images: ImageSources): string {
  const groups = groupByMethod(input.runs);
  const palette = paletteOf(groups.map((group) => group.method));
  const sections = [
    summarySection(groups),
    curvesSection(curvesOf(groups), groups, palette),
    stagesSection(groups),
    accumulationSection(groups, palette),
    ...(input.sections ?? []),
    gallerySection(chains, images),
    timelineSection(input.runs),
    configurationSection(input.runs),
  ].filter((section): section is Section => section !== null);
  return renderPage({ title: input.title, lede: input.lede, facts: describeRuns(input.runs), date: input.date, palette, sections });
}

export interface PageInput {
  readonly title: string;
  readonly lede?: string;
  /** What was measured, in a sentence under the title. */
  readonly facts: string;
  readonly date?: Date;
  readonly palette: Palette;
  readonly sections: readonly Section[];
}

/** A whole page of sections. It asks for nothing outside itself. */
export function renderPage({ title, lede, facts, date: made = new Date(), palette, sections }: PageInput): string {
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${sha256(SCRIPT)}'; base-uri 'none'; form-action 'none'`;
  const date = made.toISOString().slice(0, 16).replace("T", " ");
  return html`${trusted("<!doctype html>")}
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>${title}</title><style>${trusted(
    styleSheet(palette),
  )}</style></head>
<body><main><h1>${title}</h1>${lede === undefined ? null : html`<p class="lede">${lede}</p>`}<p class="muted">${facts} Made ${date} UTC.</p><nav class="toc" aria-label="Sections">${sections.map((section) => html`<a href="#${section.id}">${section.title}</a>`)}</nav>
${sections.map(renderSection)}
</main><script>${trusted(SCRIPT)}</script></body></html>
`.source;
}

function renderSection(section: Section): Markup {
  return html`<section id="${section.id}" aria-labelledby="${section.id}-title"><h2 id="${section.id}-title">${section.title}</h2>${section.body}</section>
`;
}

function describeRuns(runs: readonly ReportRun[]): string {
  const questions = new Set(runs.flatMap((run) => run.final?.summary.questions ?? []));
  const temperatures = new Set(runs.flatMap((run) => run.final?.settings.temperature ?? []));
  const count = `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  if (questions.size === 0) return `${count}.`;
  const how = [...temperatures].map((t) => (t === 0 ? "greedily" : `at temperature ${t}`)).join(" and ");
  return `${count}, evaluated ${how} on ${[...questions].join(" and ")} held-out questions.`;
}

/** The filter of the gallery; without it all chains are shown. */
const SCRIPT = `document.querySelectorAll(".filter").forEach(function(bar){bar.hidden=false;bar.addEventListener("click",function(event){
var button=event.target.closest("button");if(!button)return;var show=button.dataset.show;
bar.querySelectorAll("button").forEach(function(b){b.setAttribute("aria-pressed",String(b===button))});
document.querySelectorAll(".gallery .card").forEach(function(card){card.hidden=show!=="all"&&card.dataset.tags.split(" ").indexOf(show)<0});
})});`;

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("base64");
}
