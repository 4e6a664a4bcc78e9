import { firstFailure } from "../evaluation/cascade.js";
import type { Span, StepVerdict } from "../types.js";
import type { GalleryChain } from "./data.js";
import { formatValue, NONE } from "./format.js";
import { html, type Content, type Markup } from "./markup.js";

/** Images of the gallery by path, as data URIs; a path without one is shown as missing. */
export type ImageSources = ReadonlyMap<string, string>;

/** The filters that a chain answers to. */
export type GalleryTag = "right" | "wrong" | "early" | "unscored";

export function tagsOf(chain: GalleryChain): GalleryTag[] {
  const tags: GalleryTag[] = [];
  if (chain.correct !== null) tags.push(chain.correct ? "right" : "wrong");
  if (failsEarly(chain)) tags.push("early");
  if (chain.correct === null || chain.verdict.status === "unscored") tags.push("unscored");
  return tags;
}

/** The first invalid step lies in the first third of a judged chain. */
export function failsEarly(chain: GalleryChain): boolean {
  if (chain.verdict.status === "unscored") return false;
  return firstFailure(chain.verdict.steps.map((step) => step.valid))?.stage === "early";
}

/** One card a chain: image, question and gold beside the chain's steps. */
export function galleryMarkup(chains: readonly GalleryChain[], images: ImageSources): Markup {
  // One scale for all, so that a chain that was pushed hard looks so beside one that was not.
  const scale = Math.max(1e-9, ...chains.map((chain) => Math.max(0, ...(chain.tokens?.advantages ?? []).map(Math.abs))));
  return html`<ol class="gallery">${chains.map((chain) => card(chain, images, scale))}</ol>`;
}

function card(chain: GalleryChain, images: ImageSources, scale: number): Markup {
  const { example } = chain;
  const source = example.image === null ? undefined : images.get(example.image);
  const right = chain.correct;
  const mark = right === null ? badge("unscored", "?", "not scored") : right ? badge("valid", "✓", "right") : badge("invalid", "✗", "wrong");
  return html`<li class="card" data-tags="${tagsOf(chain).join(" ")}"><header><span class="who">${chain.label}</span>${
    example.kind === null ? null : html`<span class="kind">${example.kind}</span>`
  }${mark}</header><div class="card-body"><div class="scene">${
    source === undefined
      ? html`<p class="no-image">${example.image === null ? "no image" : "image not found"}</p>`
      : html`<img src="${source}" alt="image of the question" loading="lazy" decoding="async">`
  }<p class="question" dir="auto">${example.question}</p><dl><dt>Gold answer</dt><dd dir="auto">${example.answer}</dd><dt>Answered</dt><dd dir="auto">${
    chain.answer ?? html`<em>no answer tag</em>`
  }</dd>${rewardRows(chain)}</dl>${
    example.goldReasoning === null
      ? null
      : html`<details><summary>Gold reasoning</summary><p dir="auto">${example.goldReasoning}</p></details>`
  }</div>${chainMarkup(chain, scale)}</div></li>`;
}

function rewardRows(chain: GalleryChain): Content {
  const value = (part: GalleryChain["rewards"]["answer"]) =>
    part.status === "scored" ? formatValue(part.value, "number").replace(/\.00$/, "") : html`<em title="${part.reason}">unscored</em>`;
  const { answer, process, length } = chain.rewards;
  return html`<dt>Rewards</dt><dd>answer ${value(answer)}, process ${value(process)}, length ${value(length)}</dd>${
    chain.advantage === null ? null : html`<dt>Advantage</dt><dd>${signed(chain.advantage)}</dd>`
  }`;
}

/** The completion in order: steps as a numbered list, what lies between them (tags, answer) muted. */
function chainMarkup(chain: GalleryChain, scale: number): Markup {
  const rows: Markup[] = [];
  let at = 0;
  const outside = (start: number, end: number) => {
    if (chain.text.slice(start, end).trim() !== "") {
      rows.push(html`<li class="outside"><span class="said" dir="auto">${tokensMarkup(chain, { start, end }, scale)}</span></li>`);
    }
  };
  chain.steps.forEach((step, k) => {
    outside(at, step.start);
    const verdict = chain.verdict.status === "judged" ? chain.verdict.steps[k] : undefined;
    rows.push(stepRow(chain, step, k, verdict, scale));
    at = step.end;
  });
  outside(at, chain.text.length);
  const note =
    chain.verdict.status === "unscored" ? html`<p class="note">Steps not judged: ${chain.verdict.reason}</p>` : null;
  return html`<div class="chain"><ul class="steps">${rows}</ul>${note}</div>`;
}

function stepRow(chain: GalleryChain, step: Span, k: number, verdict: StepVerdict | undefined, scale: number): Markup {
  const state = verdict === undefined ? "unscored" : verdict.valid ? "valid" : "invalid";
  const sign = { valid: "✓", invalid: "✗", unscored: "?" }[state];
  return html`<li class="step ${state}"><span class="place">${k + 1}</span>${badge(state, sign, state === "unscored" ? "not judged" : state)}<span class="said" dir="auto">${tokensMarkup(
    chain,
    step,
    scale,
  )}</span>${verdict === undefined ? null : html`<span class="why">${whyOf(verdict)}</span>`}</li>`;
}

function whyOf(verdict: StepVerdict): string {
  const bits = `${verdict.alignment === 1 ? "aligned" : "not aligned"}, ${verdict.contribution === 1 ? "contributes" : "does not contribute"}`;
  const inherited =
    verdict.inheritedFrom === undefined || verdict.inheritedFrom === null
      ? ""
      : `; repeats the error of step ${verdict.inheritedFrom + 1}`;
  return `${bits}${inherited}${verdict.why === undefined || verdict.why === "" ? "" : `: ${verdict.why}`}`;
}

/** Text of a span, each token shaded by its advantage; tokens that cross the span's border are cut at it. */
function tokensMarkup(chain: GalleryChain, span: Span, scale: number): Content {
  const { text, tokens } = chain;
  if (tokens === null) return text.slice(span.start, span.end);
  const parts: Content[] = [];
  let at = span.start;
  for (const piece of piecesOf(tokens.offsets, span)) {
    if (piece.start > at) parts.push(text.slice(at, piece.start));
    const advantages = piece.tokens.map((t) => tokens.advantages[t]);
    const mean = advantages.reduce((a, b) => a + b, 0) / advantages.length;
    const strength = Math.round((Math.abs(mean) / scale) * 100);
    const title = `advantage ${advantages.map(signed).join(", ")}`;
    parts.push(
      strength === 0
        ? html`<span title="${title}">${text.slice(piece.start, piece.end)}</span>`
        : html`<span class="${mean > 0 ? "up" : "down"}" style="--a:${strength}%" title="${title}">${text.slice(piece.start, piece.end)}</span>`,
    );
    at = piece.end;
  }
  if (at < span.end) parts.push(text.slice(at, span.end));
  return parts;
}

/** Tokens inside a span, in order and without overlap; the tokens of one split character are one piece. */
function piecesOf(offsets: readonly Span[], span: Span): { start: number; end: number; readonly tokens: number[] }[] {
  const pieces: { start: number; end: number; readonly tokens: number[] }[] = [];
  offsets.forEach((token, t) => {
    const last = pieces.at(-1);
    const start = Math.max(token.start, span.start, last?.end ?? 0);
    const end = Math.min(token.end, span.end);
    if (end > start) pieces.push({ start, end, tokens: [t] });
    else if (last !== undefined && token.end > token.start && token.end <= last.end && token.start >= span.start) last.tokens.push(t);
  });
  return pieces;
}

function badge(state: "valid" | "invalid" | "unscored", sign: string, text: string): Markup {
  return html`<span class="badge ${state}"><span aria-hidden="true">${sign}</span> ${text}</span>`;
}

function signed(x: number): string {
  if (!Number.isFinite(x)) return NONE;
  return `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(x).toFixed(2)}`;
}
