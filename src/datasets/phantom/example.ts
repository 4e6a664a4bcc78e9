import type { Example } from "../../types.js";
import { UserError } from "../../util/errors.js";
import { RandomStream, seedFrom } from "../../util/random.js";
import { chainSentences, completionText, conclusionTemplates, fillTemplate, stepSpecs } from "./chain.js";
import { corruptChain, corruptionProfiles, type CorruptionProfile, type ProfileName } from "./corrupt.js";
import { allFacts } from "./facts.js";
import { answerTo, isQuestionKind, questionKinds, questionSpecs, sampleQuestion, type Question, type QuestionKind } from "./questions.js";
import { sampleScene, sceneSchema, type Scene, type Split } from "./scene.js";

export interface PhantomExample {
  readonly example: Example;
  readonly scene: Scene;
  readonly question: Question;
}

/** Example `index` of a split, without its picture (`image` is null): draw `scene` for the pixels. */
export function phantomExample(seed: number, split: Split, index: number): PhantomExample {
  const scene = sampleScene(seed, index, split);
  const rng = new RandomStream(seedFrom("phantom question", seed, split, index));
  const question = sampleQuestion(rng);
  const example: Example = {
    id: exampleId(split, index),
    image: null,
    question: question.text,
    answer: answerTo(question.kind, scene.facts),
    goldReasoning: chainSentences(scene.facts, question, rng).join(" "),
    kind: question.kind,
    meta: { scene },
  };
  return { example, scene, question };
}

export function exampleId(split: Split, index: number): string {
  return `${split}-${String(index).padStart(6, "0")}`;
}

/** The scene and the kind of question that an example carries; `null` where it is not a phantom's. */
export function sceneOf(example: Pick<Example, "kind" | "meta">): { readonly scene: Scene; readonly kind: QuestionKind } | null {
  const parsed = sceneSchema.safeParse(example.meta?.scene);
  return parsed.success && isQuestionKind(example.kind) ? { scene: parsed.data, kind: example.kind } : null;
}

/**
 * A completion to imitate for a phantom example: the chain of one misreading under the profile. Another `draw` gives
 * another misreading. Throws a UserError for an example that carries no scene.
 */
export function sftCompletion(example: Example, profile: CorruptionProfile, seed: number, draw = 0): string {
  const found = sceneOf(example);
  if (found === null)
    throw new UserError(`Example ${example.id} carries no phantom scene: corrupted chains can be made only for a data set that \`breakwater phantom\` wrote.`);
  const rng = new RandomStream(seedFrom("phantom corruption", profile.name, seed, example.id, draw));
  const chain = corruptChain(found.scene, found, profile, rng);
  return completionText(chain.sentences, chain.answer);
}

export interface SftItem extends PhantomExample {
  readonly completion: string;
}

/** Training items for a start policy, in memory: the first `count` training scenes of `seed`. */
export function phantomSftItems(profile: ProfileName, count: number, seed: number): SftItem[] {
  return Array.from({ length: count }, (_, index) => {
    const item = phantomExample(seed, "train", index);
    return { ...item, completion: sftCompletion(item.example, corruptionProfiles[profile], seed) };
  });
}

/**
 * Texts that hold every sentence shape, question and answer at least once, for training a tokenizer: each paraphrase filled
 * with facts in turn until all values were used in it.
 */
export function corpusForTokenizer(): string[] {
  const facts = allFacts();
  // A stride prime to the 1,092 combinations walks through all of them; each paraphrase meets all values.
  const stride = 361;
  let at = 0;
  const next = (): (typeof facts)[number] => facts[(at = (at + stride) % facts.length)];
  const out: string[] = [];
  const repeats = 60;
  for (const template of [...stepSpecs.flatMap((spec) => spec.templates), ...Object.values(conclusionTemplates).flat()])
    for (let i = 0; i < repeats; i++) out.push(fillTemplate(template, next()));
  for (const kind of questionKinds) {
    for (const text of questionSpecs[kind].texts) for (let i = 0; i < repeats; i++) out.push(text);
    out.push(...new Set(facts.map((f) => answerTo(kind, f))));
  }
  return out;
}
