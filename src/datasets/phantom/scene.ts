import { z } from "zod";
import { RandomStream, seedFrom } from "../../util/random.js";
import {
  counts, countsOf, densities, densitiesOf, factsKey, kinds, kindsAt, modalities, organAt, organs, regions, sides, sizes, zones,
  type Facts,
} from "./facts.js";

export type Split = "train" | "test";

/** A phantom before it is drawn: what is true of it, and where things lie. Plain JSON; it travels in `Example.meta`. */
export interface Scene {
  readonly facts: Facts;
  /** Seed of everything that the facts leave open: position, outline, noise, distractors. */
  readonly layout: number;
  readonly distractors: readonly Distractor[];
  /** Corner of the calibration disc, as seen in the picture. */
  readonly discCorner: Corner;
}

export const distractorKinds = ["lead", "plate", "vessel"] as const;
/** `lead`: a wire with an electrode; `plate`: a film marker in a corner; `vessel`: a thin bright curve. */
export type Distractor = (typeof distractorKinds)[number];
export const corners = ["bottom-left", "bottom-right"] as const;
export type Corner = (typeof corners)[number];

/** One combination of facts in this many is held out. */
const heldOutOneIn = 5;

/**
 * The split is a function of the facts alone, so no held-out combination is ever seen in training, whatever the seeds and
 * however many scenes are drawn.
 */
export function splitOf(facts: Facts): Split {
  return seedFrom("phantom split", factsKey(facts)) % heldOutOneIn === 0 ? "test" : "train";
}

/** Scene `index` of the sequence that `seed` and `split` name; independent of how many others are drawn. */
export function sampleScene(seed: number, index: number, split: Split): Scene {
  const rng = new RandomStream(seedFrom("phantom scene", seed, split, index));
  let facts = sampleFacts(rng);
  while (splitOf(facts) !== split) facts = sampleFacts(rng);
  return {
    facts,
    layout: rng.nextUint32(),
    distractors: distractorKinds.filter(() => rng.uniform() < 0.35),
    discCorner: rng.pick(corners),
  };
}

function sampleFacts(rng: RandomStream): Facts {
  const modality = rng.pick(modalities);
  const region = rng.pick(regions);
  const side = rng.pick(sides);
  const zone = rng.pick(zones);
  const kind = rng.pick(kindsAt(region, zone));
  return {
    modality, region, side, zone,
    organ: organAt(region, side, zone),
    kind,
    count: rng.pick(countsOf(kind)),
    size: rng.pick(sizes),
    density: rng.pick(densitiesOf(kind)),
  };
}

export const sceneSchema = z.object({
  facts: z.object({
    modality: z.enum(modalities),
    region: z.enum(regions),
    side: z.enum(sides),
    zone: z.enum(zones),
    organ: z.enum(organs),
    kind: z.enum(kinds),
    count: z.enum(counts),
    size: z.enum(sizes),
    density: z.enum(densities),
  }),
  layout: z.number().int().min(0).max(0xffffffff),
  distractors: z.array(z.enum(distractorKinds)),
  discCorner: z.enum(corners),
});
