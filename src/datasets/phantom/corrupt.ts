import type { RandomStream } from "../../util/random.js";
import { chainSentences } from "./chain.js";
import { densitiesOf, organAt, slotValues, type Facts, type Slot } from "./facts.js";
import { answerTo, type Question } from "./questions.js";

/**
 * How a reader misreads: per slot, per true value, the probability of each wrong value. It depends on the class, because a
 * model averages uniform noise away when it decodes greedily but learns a systematic confusion.
 */
export type Confusions = {
  readonly [S in Exclude<Slot, "organ">]?: { readonly [V in Facts[S]]?: { readonly [W in Facts[S]]?: number } };
};

export interface CorruptionProfile {
  readonly name: string;
  readonly confusions: Confusions;
  /** Side confusion by region instead of by side: probability of left ↔ right. */
  readonly swapSide?: { readonly [R in Facts["region"]]?: number };
  /** Probability that each later fact goes wrong by this besides, once modality, region or place is wrong. */
  readonly cascade: number;
}

/** Misreads often and in the same way, but the right early fact stays within reach of sampling. */
const biased: CorruptionProfile = {
  name: "biased",
  confusions: {
    modality: { MRI: { CT: 0.6 }, "X-ray": { CT: 0.3 }, CT: { "X-ray": 0.1 } },
    region: { abdomen: { chest: 0.55 }, head: { abdomen: 0.25 }, chest: { abdomen: 0.1 } },
    zone: { lower: { upper: 0.1 } },
    kind: { calcification: { mass: 0.1 } },
    count: { three: { two: 0.1 } },
  },
  swapSide: { chest: 0.4, abdomen: 0.1, head: 0.2 },
  cascade: 0.15,
};

/** Reads everything as it is but one class, of which it is certain and wrong: the right early fact is hardly ever sampled. */
const confident: CorruptionProfile = { name: "confident", confusions: { modality: { MRI: { CT: 0.96 } } }, cascade: 0 };

/** Sees what is there. */
const gold: CorruptionProfile = { name: "gold", confusions: {}, cascade: 0 };

export const corruptionProfiles = { gold, biased, confident } as const satisfies Record<string, CorruptionProfile>;
export type ProfileName = keyof typeof corruptionProfiles;

const valuesOf: { readonly [S in Slot]: readonly Facts[S][] } = slotValues;

/** One reading of a scene under the profile: each fact right or replaced; the organ follows from region, side and zone as read. */
export function misread(facts: Facts, profile: CorruptionProfile, rng: RandomStream): Facts {
  const read = <S extends keyof Confusions>(slot: S, cascading: boolean): Facts[S] => {
    const table = profile.confusions[slot]?.[facts[slot]];
    const values: readonly Facts[S][] = valuesOf[slot];
    let u = rng.uniform();
    for (const value of values) {
      u -= table?.[value] ?? 0;
      if (u < 0) return value;
    }
    const stumble = rng.uniform() < (cascading ? profile.cascade : 0);
    const others = values.filter((value) => value !== facts[slot]);
    return stumble ? rng.pick(others) : facts[slot];
  };
  const modality = read("modality", false);
  const region = read("region", false);
  const swap = rng.uniform() < (profile.swapSide?.[facts.region] ?? 0);
  const side = swap ? (facts.side === "left" ? "right" : "left") : read("side", false);
  const zone = read("zone", false);
  const lost = modality !== facts.modality || region !== facts.region || side !== facts.side || zone !== facts.zone;
  const organ = organAt(region, side, zone);
  const kind = read("kind", lost);
  const count = read("count", lost);
  const size = read("size", lost);
  const density = densitiesOf(kind).length > 1 ? read("density", lost) : "bright";
  return { modality, region, side, zone, organ, kind, count, size, density };
}

export interface CorruptedChain {
  /** What the chain claims. */
  readonly claims: Facts;
  readonly sentences: readonly string[];
  /** Follows from the claims. */
  readonly answer: string;
}

/** A fluent chain of one misreading: wrong facts are repeated by the later sentences and by the answer. */
export function corruptChain(
  scene: { readonly facts: Facts }, question: Pick<Question, "kind">, profile: CorruptionProfile, rng: RandomStream,
): CorruptedChain {
  const claims = misread(scene.facts, profile, rng);
  return { claims, sentences: chainSentences(claims, question, rng), answer: answerTo(question.kind, claims) };
}
