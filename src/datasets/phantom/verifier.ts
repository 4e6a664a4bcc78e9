import type { ChainVerdict, Example, StepVerdict } from "../../types.js";
import { sceneOf } from "./example.js";
import { organAt, regionOf, slots, type Facts, type Slot } from "./facts.js";
import { readSentence } from "./grammar.js";
import { questionSpecs, type QuestionKind } from "./questions.js";

/** What the chain holds of one slot so far. */
interface Claim {
  readonly value: string;
  readonly truth: boolean;
  /** The step where the error arose; the step that stated it, where the claim is true. */
  readonly origin: number;
}

/** Slots that gold chains state together: a step that leaves part of its group open is less specific than gold. */
const groups: readonly (readonly Slot[])[] = [["modality"], ["region"], ["zone", "side"], ["organ", "count", "kind"], ["size", "density"]];

/** Slots that must be known before one can be observed. */
const buildsOn: { readonly [S in Slot]: readonly Slot[] } = {
  modality: [],
  region: [],
  side: ["region"],
  zone: ["region"],
  organ: ["region"],
  kind: ["modality", "region"],
  count: ["modality", "region"],
  size: ["kind"],
  density: ["kind"],
};

/** Modality and region belong before this share of the chain. */
const contextEnds = 2 / 3;

/**
 * Judges each sentence of a chain against what is true of its picture. The result has one verdict per sentence.
 *
 * A sentence is read into facts (`readSentence`); one that states none, contradicts itself or repeats gets neither bit. Where
 * every stated fact is true and none contradicts an earlier step: *alignment* when it stands in its place and is as specific
 * as gold, *contribution* when it adds a fact that the question needs or infers the answer. `own` judges what the sentence
 * adds and leaves inherited errors apart; `inheritedFrom` names the step where the earliest inherited error arose.
 */
export function verifyChain(truth: Facts, kind: QuestionKind, sentences: readonly string[]): StepVerdict[] {
  const claims = new Map<Slot, Claim>();
  const said = new Map<string, number>();
  const { asks, needs } = questionSpecs[kind];
  let concluded = false;

  return sentences.map((sentence, i) => {
    const reading = readSentence(sentence);
    const text = reading.words.join(" ");
    const before = said.get(text);
    if (before === undefined) said.set(text, i);
    if (reading.status === "empty") return rejected(reading.why);
    if (before !== undefined) return rejected(`repeats step ${before + 1}`);

    const stated = slots.filter((slot) => reading.facts[slot] !== undefined);
    const isTrue = (slot: Slot): boolean => reading.facts[slot] === truth[slot];
    const fresh = stated.filter((slot) => !claims.has(slot));
    const changed = stated.filter((slot) => claims.has(slot) && claims.get(slot)?.value !== reading.facts[slot]);
    const last = i === sentences.length - 1;
    const infers = (reading.concludes || last) && !concluded && claims.has("kind") && asks.every((slot) => stated.includes(slot));
    if (infers) concluded = true;
    if (fresh.length === 0 && changed.length === 0 && !infers) {
      const inherited = earliest(stated, claims);
      return { ...rejected(reading.concludes ? "infers nothing that was asked" : "states nothing new"), inheritedFrom: inherited };
    }

    const known = (slot: Slot): boolean => claims.has(slot) || stated.includes(slot);
    const placed = fresh.every(
      (slot) => buildsOn[slot].every(known) && !((slot === "modality" || slot === "region") && i >= contextEnds * sentences.length),
    );
    const specific = groups.filter((group) => group.some((slot) => fresh.includes(slot))).every((group) => group.every(known));

    // Errors that arose before: false claims said again, an organ that follows from a false place, truths that contradict them.
    const restated = stated.filter((slot) => claims.has(slot) && !changed.includes(slot) && !isTrue(slot));
    const organOrigin = fresh.includes("organ") && !isTrue("organ") ? placeError(reading.facts, claims) : null;
    const mended = changed.filter(isTrue);
    const regionClash = regionError(reading.facts, claims, truth);
    const sources = [...restated, ...mended].map((slot) => claims.get(slot)?.origin ?? i);
    if (organOrigin !== null) sources.push(organOrigin);
    if (regionClash !== null) sources.push(regionClash);
    const inheritedFrom = sources.length === 0 ? null : Math.min(...sources);

    const ownFalse = [...fresh, ...changed].filter((slot) => !isTrue(slot) && !(slot === "organ" && organOrigin !== null));
    const added = [...fresh, ...mended].filter(isTrue);
    const whole = stated.every(isTrue) && changed.length === 0 && regionClash === null;
    const helps = infers || added.some((slot) => needs.includes(slot));
    const fits = infers || (placed && specific);

    for (const slot of stated) {
      const value = reading.facts[slot];
      if (value === undefined || claims.get(slot)?.value === value) continue;
      const origin = slot === "organ" && organOrigin !== null ? organOrigin : i;
      claims.set(slot, { value, truth: isTrue(slot), origin });
    }

    const alignment = whole && fits ? 1 : 0;
    const contribution = whole && helps ? 1 : 0;
    return {
      alignment,
      contribution,
      valid: alignment === 1 || contribution === 1,
      own: ownFalse.length === 0 && (infers || added.length > 0) && (fits || helps),
      inheritedFrom,
      why: explain({ ownFalse, changed, whole, inheritedFrom, fits, helps, placed, infers, facts: reading.facts, truth }),
    };
  });
}

function rejected(why: string): StepVerdict {
  return { alignment: 0, contribution: 0, valid: false, own: false, inheritedFrom: null, why };
}

/** Origin of the earliest false claim among these slots. */
function earliest(stated: readonly Slot[], claims: ReadonlyMap<Slot, Claim>): number | null {
  const origins = stated.flatMap((slot) => {
    const claim = claims.get(slot);
    return claim === undefined || claim.truth ? [] : [claim.origin];
  });
  return origins.length === 0 ? null : Math.min(...origins);
}

/** Where a wrong organ follows from region, side and zone as claimed before: the step where the first of their errors arose. */
function placeError(facts: Partial<Facts>, claims: ReadonlyMap<Slot, Claim>): number | null {
  const [region, side, zone] = (["region", "side", "zone"] as const).map((slot) => claims.get(slot));
  if (region === undefined || side === undefined || zone === undefined) return null;
  const follows = organAt(region.value as Facts["region"], side.value as Facts["side"], zone.value as Facts["zone"]);
  return follows === facts.organ ? earliest(["region", "side", "zone"], claims) : null;
}

/** A true organ under a region claimed falsely: the sentence contradicts the step that claimed the region. */
function regionError(facts: Partial<Facts>, claims: ReadonlyMap<Slot, Claim>, truth: Facts): number | null {
  const region = claims.get("region");
  if (facts.organ === undefined || facts.organ !== truth.organ || facts.region !== undefined) return null;
  if (region === undefined || region.value === regionOf(facts.organ)) return null;
  return region.origin;
}

function explain(v: {
  ownFalse: readonly Slot[]; changed: readonly Slot[]; whole: boolean; inheritedFrom: number | null; fits: boolean; helps: boolean;
  placed: boolean; infers: boolean; facts: Partial<Facts>; truth: Facts;
}): string {
  if (v.ownFalse.length > 0) return v.ownFalse.map((slot) => `${slot} is ${v.truth[slot]}, not ${v.facts[slot]}`).join("; ");
  if (v.changed.length > 0) return `contradicts an earlier step on ${v.changed.join(", ")}`;
  if (!v.whole) return `repeats or builds on the error of step ${(v.inheritedFrom ?? 0) + 1}`;
  if (v.infers) return "infers the answer";
  if (v.fits) return v.helps ? "true and needed" : "true";
  if (v.helps) return v.placed ? "true and needed, less specific than gold" : "true and needed, out of place";
  return v.placed ? "true but less specific than gold" : "true but out of place";
}

/** Verdicts on the sentences of a chain about a phantom example; unscored where the example carries no scene. */
export function verifyExample(example: Example, sentences: readonly string[]): ChainVerdict {
  const found = sceneOf(example);
  if (found === null) return { status: "unscored", reason: `example ${example.id} carries no phantom scene` };
  return { status: "judged", steps: verifyChain(found.scene.facts, found.kind, sentences) };
}
