import type { RandomStream } from "../../util/random.js";
import { densityTerm, type Count, type Facts, type Kind, type Slot } from "./facts.js";
import { answerTo, type Question, type QuestionKind } from "./questions.js";

/**
 * A chain has six sentences: modality, region, place, finding, character, conclusion. Each but the first names facts of
 * sentences before it, so an early mistake is inherited. All paraphrases of a step state the same facts, or those that
 * state fewer would be the safer ones and training would drift to them.
 */
export interface StepSpec {
  readonly name: string;
  /** Slots that the step states for the first time. */
  readonly adds: readonly Slot[];
  /** Slots of earlier steps that it names again. */
  readonly names: readonly Slot[];
  /** Blanks are `{name}` of `fillers`. */
  readonly templates: readonly string[];
}

export const stepSpecs: readonly StepSpec[] = [
  {
    name: "modality",
    adds: ["modality"],
    names: [],
    templates: [
      "The image is {a-mod} study.",
      "This picture was taken with {mod}.",
      "The grey levels are those of {a-mod} study.",
      "Contrast and noise point to {a-mod} study.",
      "The texture of the image is typical of {mod}.",
    ],
  },
  {
    name: "region",
    adds: ["region"],
    names: ["modality"],
    templates: [
      "The {mod} shows the {region}.",
      "The outline on the {mod} is that of the {region}.",
      "The {mod} study covers the {region}.",
      "The anatomy on this {mod} belongs to the {region}.",
      "The body part on this {mod} is the {region}.",
    ],
  },
  {
    name: "place",
    adds: ["zone", "side"],
    names: ["region"],
    templates: [
      "In the {region} an abnormality lies in the {zone} {side} quadrant.",
      "The {zone} {side} part of the {region} looks abnormal.",
      "Within the {region} the {zone} {side} quadrant stands out.",
      "An abnormality is visible in the {zone} {side} part of the {region}.",
      "The abnormal area of the {region} is its {zone} {side} quadrant.",
    ],
  },
  {
    name: "finding",
    adds: ["organ", "count", "kind"],
    names: ["side"],
    templates: [
      "The {organ} on the {side} side contains {count} {kinds}.",
      "On the {side} side the {organ} shows {count} {kinds}.",
      "There {be} {count} {kinds} in the {organ} on the {side} side.",
      "On the {side} side {count} {kinds} {lie} in the {organ}.",
      "The {organ} of the {side} side holds {count} {kinds}.",
    ],
  },
  {
    name: "character",
    adds: ["size", "density"],
    names: ["modality", "organ", "kind"],
    templates: [
      "The {kinds} in the {organ} {be} {size} than the calibration disc and {term}.",
      "Compared with the calibration disc the {organ} {kinds} {be} {size} and {term}.",
      "The {organ} {kinds} {look} {term} and {size} than the calibration disc.",
      "The {term} {kinds} in the {organ} {be} {size} than the calibration disc.",
    ],
  },
];

/** The last step: it infers the answer and adds no fact of its own. All state the place of the finding besides. */
export const conclusionTemplates: { readonly [K in QuestionKind]: readonly string[] } = {
  modality: [
    "So the {organ} {kind} was imaged with {mod}.",
    "Therefore the modality that shows the {organ} {kind} is {mod}.",
  ],
  region: [
    "So the {organ} {kind} lies in the {region}.",
    "Therefore the region with the {organ} {kind} is the {region}.",
  ],
  study: [
    "So the {organ} {kind} was found on {a-region} {mod}.",
    "Therefore the study that shows the {organ} {kind} is {a-region} {mod}.",
  ],
  organ: [
    "So in the {region} the abnormal organ is the {organ}.",
    "Therefore the abnormality of the {region} is in the {organ}.",
  ],
  location: [
    "So the {organ} {kind} lies in the {zone} {side} quadrant.",
    "Therefore the quadrant with the {organ} {kind} is the {zone} {side}.",
  ],
  finding: [
    "So the finding of this {region} study is {a-organ} {kind}.",
    "Therefore the {region} study shows {a-organ} {kind}.",
  ],
  count: [
    "So the number of lesions in the {organ} is {count}.",
    "Therefore the {organ} contains {count} {lesions}.",
  ],
  size: [
    "So the {organ} {kind} is {size} than the calibration disc.",
    "Therefore the disc shows that the {organ} {kind} is {size}.",
  ],
  density: [
    "So on {mod} the {organ} {kind} is {term}.",
    "Therefore the {organ} {kind} on this {mod} is {term}.",
  ],
};

const plurals: { readonly [K in Kind]: string } = {
  mass: "masses", cyst: "cysts", calcification: "calcifications", effusion: "effusions",
};

export function pluralOf(kind: Kind): string {
  return plurals[kind];
}

function withArticle(word: string): string {
  return `${/^(?:MRI|X|a)/.test(word) ? "an" : "a"} ${word}`;
}

/** What a blank becomes under these facts. */
export const fillers: Readonly<Record<string, (facts: Facts) => string>> = {
  mod: (f) => f.modality,
  "a-mod": (f) => withArticle(f.modality),
  region: (f) => f.region,
  "a-region": (f) => withArticle(f.region),
  side: (f) => f.side,
  zone: (f) => f.zone,
  organ: (f) => f.organ,
  "a-organ": (f) => withArticle(f.organ),
  kind: (f) => f.kind,
  kinds: (f) => (isOne(f.count) ? f.kind : pluralOf(f.kind)),
  lesions: (f) => (isOne(f.count) ? "lesion" : "lesions"),
  count: (f) => f.count,
  size: (f) => f.size,
  term: (f) => densityTerm(f.modality, f.density),
  be: (f) => (isOne(f.count) ? "is" : "are"),
  lie: (f) => (isOne(f.count) ? "lies" : "lie"),
  look: (f) => (isOne(f.count) ? "looks" : "look"),
};

function isOne(count: Count): boolean {
  return count === "one";
}

export function fillTemplate(template: string, facts: Facts): string {
  return template.replace(/\{([a-z-]+)\}/g, (_, name: string) => {
    if (!(name in fillers)) throw new RangeError(`template names the unknown blank {${name}}: ${template}`);
    return fillers[name](facts);
  });
}

/** The templates of every step of a chain that answers `kind`, in order. */
export function templatesFor(kind: QuestionKind): readonly (readonly string[])[] {
  return [...stepSpecs.map((spec) => spec.templates), conclusionTemplates[kind]];
}

/** One chain that states `facts`, a paraphrase drawn for each step. Six sentences. */
export function chainSentences(facts: Facts, question: Pick<Question, "kind">, rng: RandomStream): string[] {
  return templatesFor(question.kind).map((templates) => fillTemplate(rng.pick(templates), facts));
}

export function completionText(sentences: readonly string[], answer: string): string {
  return `<think>${sentences.join(" ")}</think><answer>${answer}</answer>`;
}

/** The true chain and answer, in tags. */
export function goldCompletion(scene: { readonly facts: Facts }, question: Pick<Question, "kind">, rng: RandomStream): string {
  return completionText(chainSentences(scene.facts, question, rng), answerTo(question.kind, scene.facts));
}
