import type { RandomStream } from "../../util/random.js";
import { densityTerm, type Facts, type Slot } from "./facts.js";

export const questionKinds = ["modality", "region", "study", "organ", "location", "finding", "count", "size", "density"] as const;
export type QuestionKind = (typeof questionKinds)[number];

export interface Question {
  readonly kind: QuestionKind;
  readonly text: string;
}

/**
 * Answers have one or two words: the lexical reward of two words with one right is 0.5, under the gate τ = 0.6, while two
 * right of three would pass it.
 */
interface QuestionSpec {
  readonly texts: readonly string[];
  readonly answer: (facts: Facts) => string;
  /** Slots that the answer states. */
  readonly asks: readonly Slot[];
  /** Slots that help to find the answer; `asks` among them. */
  readonly needs: readonly Slot[];
}

export const questionSpecs: { readonly [K in QuestionKind]: QuestionSpec } = {
  modality: {
    texts: ["Which imaging modality is this?", "What modality was used for this image?"],
    answer: (f) => f.modality,
    asks: ["modality"],
    needs: ["modality"],
  },
  region: {
    texts: ["Which region of the body is shown?", "What part of the body does this image show?"],
    answer: (f) => f.region,
    asks: ["region"],
    needs: ["region"],
  },
  study: {
    texts: ["What kind of study is this?", "Which study was made, and of what?"],
    answer: (f) => `${f.region} ${f.modality}`,
    asks: ["modality", "region"],
    needs: ["modality", "region"],
  },
  organ: {
    texts: ["In which organ is the abnormality?", "Which organ is abnormal?"],
    answer: (f) => f.organ,
    asks: ["organ"],
    needs: ["region", "side", "zone", "organ"],
  },
  location: {
    texts: ["In which quadrant is the abnormality?", "Where is the abnormality located?"],
    answer: (f) => `${f.zone} ${f.side}`,
    asks: ["zone", "side"],
    needs: ["region", "side", "zone"],
  },
  finding: {
    texts: ["What is the main finding?", "What abnormality is seen in this image?"],
    answer: (f) => `${f.organ} ${f.kind}`,
    asks: ["organ", "kind"],
    needs: ["region", "side", "zone", "organ", "kind"],
  },
  count: {
    texts: ["How many lesions are there?", "How many lesions does this image show?"],
    answer: (f) => f.count,
    asks: ["count"],
    needs: ["side", "zone", "organ", "kind", "count"],
  },
  size: {
    texts: ["How large is the lesion compared with the calibration disc?", "Compared with the calibration disc, what size is the lesion?"],
    answer: (f) => f.size,
    asks: ["size"],
    needs: ["organ", "kind", "size"],
  },
  density: {
    texts: ["How does the lesion appear compared with the tissue around it?", "Compared with the tissue around it, how does the lesion look?"],
    answer: (f) => densityTerm(f.modality, f.density),
    asks: ["modality", "density"],
    needs: ["modality", "kind", "density"],
  },
};

/** Questions whose answer leans on early facts are asked more often: there an early mistake costs the answer. */
export const questionWeights: { readonly [K in QuestionKind]: number } = {
  modality: 1, region: 1, study: 4, organ: 3, location: 3, finding: 4, count: 1, size: 1, density: 4,
};

export function sampleQuestion(rng: RandomStream): Question {
  const total = questionKinds.reduce((sum, kind) => sum + questionWeights[kind], 0);
  let at = rng.uniform() * total;
  for (const kind of questionKinds) {
    at -= questionWeights[kind];
    if (at < 0) return { kind, text: rng.pick(questionSpecs[kind].texts) };
  }
  const kind = questionKinds[questionKinds.length - 1];
  return { kind, text: rng.pick(questionSpecs[kind].texts) };
}

/** The answer that follows from these facts, true or not. */
export function answerTo(kind: QuestionKind, facts: Facts): string {
  return questionSpecs[kind].answer(facts);
}

export function isQuestionKind(value: unknown): value is QuestionKind {
  return questionKinds.some((kind) => kind === value);
}
