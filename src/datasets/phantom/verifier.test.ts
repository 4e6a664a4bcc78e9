import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomStream } from "../../util/random.js";
import { chainSentences, fillTemplate, stepSpecs, templatesFor } from "./chain.js";
import { corruptChain, corruptionProfiles } from "./corrupt.js";
import { phantomExample } from "./example.js";
import { allFacts, organAt, slotValues, slots, type Facts, type Slot } from "./facts.js";
import { readSentence } from "./grammar.js";
import { questionKinds, questionSpecs, type QuestionKind } from "./questions.js";
import { verifyChain, verifyExample } from "./verifier.js";

const everyFacts = allFacts();
const anyFacts = fc.constantFrom(...everyFacts);
const anyKind = fc.constantFrom(...questionKinds);
const anySeed = fc.nat(0xffffff);

/** Index of the step that states a slot first. */
function firstStep(slot: Slot): number {
  return stepSpecs.findIndex((spec) => spec.adds.includes(slot));
}

/** The facts with one slot read wrongly and what follows from it. */
function withError(facts: Facts, slot: Slot, value: string): Facts {
  const read = { ...facts, [slot]: value };
  return slot === "organ" ? read : { ...read, organ: organAt(read.region, read.side, read.zone) };
}

const anyError = fc.record({ facts: anyFacts, slot: fc.constantFrom(...slots), pick: fc.nat(10) }).map(({ facts, slot, pick }) => {
  const wrong = (slotValues[slot] as readonly string[]).filter((value) => value !== facts[slot]);
  return { facts, slot, claims: withError(facts, slot, wrong[pick % wrong.length]) };
});

/** Slots that a sentence states, by reading it: the templates' own lists are tested elsewhere. */
function statedSlots(sentence: string): Slot[] {
  const reading = readSentence(sentence);
  return reading.status === "stated" ? slots.filter((slot) => reading.facts[slot] !== undefined) : [];
}

describe("gold chains", () => {
  it("are valid at every step, for every paraphrase of every step", () => {
    fc.assert(
      fc.property(anyFacts, anyKind, anySeed, (facts, kind, seed) => {
        const verdicts = verifyChain(facts, kind, chainSentences(facts, { kind }, new RandomStream(seed)));
        expect(verdicts.map((v) => [v.alignment, v.valid, v.own, v.inheritedFrom])).toEqual(verdicts.map(() => [1, true, true, null]));
      }),
      { numRuns: 4000 },
    );
    for (const kind of questionKinds)
      for (const [step, templates] of templatesFor(kind).entries())
        for (const template of templates)
          for (const facts of everyFacts.filter((_, i) => i % 37 === 0)) {
            const sentences = templatesFor(kind).map((options, i) => fillTemplate(i === step ? template : options[0], facts));
            expect(verifyChain(facts, kind, sentences).every((v) => v.valid), sentences.join(" ")).toBe(true);
          }
  });

  it("contribute where they state what the question needs", () => {
    fc.assert(
      fc.property(anyFacts, anyKind, anySeed, (facts, kind, seed) => {
        const verdicts = verifyChain(facts, kind, chainSentences(facts, { kind }, new RandomStream(seed)));
        for (const [i, spec] of stepSpecs.entries())
          expect(verdicts[i].contribution).toBe(spec.adds.some((slot) => questionSpecs[kind].needs.includes(slot)) ? 1 : 0);
        expect(verdicts[5].contribution).toBe(1);
      }),
      { numRuns: 500 },
    );
  });
});

describe("one wrong fact", () => {
  it("carried through the chain is caught where it arises, and every later step that builds on it names that step", () => {
    fc.assert(
      fc.property(anyError, anyKind, anySeed, ({ facts, slot, claims }, kind, seed) => {
        const sentences = chainSentences(claims, { kind }, new RandomStream(seed));
        const verdicts = verifyChain(facts, kind, sentences);
        const k = firstStep(slot);
        const wrong = slots.filter((s) => claims[s] !== facts[s]);
        for (const [i, v] of verdicts.entries()) {
          const touched = statedSlots(sentences[i]).some((s) => wrong.includes(s));
          expect(v.valid, `${sentences[i]} (${v.why})`).toBe(!touched);
          if (i < k) expect(v.valid).toBe(true);
          else if (i === k) expect([v.own, v.inheritedFrom]).toEqual([false, null]);
          // Later steps add right facts or infer soundly: their own part stands.
          else expect([v.own, v.inheritedFrom], `${sentences[i]} (${v.why})`).toEqual([true, touched ? k : null]);
        }
        expect(verdicts.findIndex((v) => !v.valid)).toBe(k);
      }),
      { numRuns: 4000 },
    );
  });

  it("in one sentence of a gold chain is caught there; the first return to the truth contradicts it and blames it", () => {
    fc.assert(
      fc.property(anyError, anyKind, anySeed, ({ facts, slot, claims }, kind, seed) => {
        const k = firstStep(slot);
        const gold = chainSentences(facts, { kind }, new RandomStream(seed));
        const broken = chainSentences({ ...facts, [slot]: claims[slot] }, { kind }, new RandomStream(seed));
        const sentences = gold.map((sentence, i) => (i === k ? broken[i] : sentence));
        const verdicts = verifyChain(facts, kind, sentences);
        expect(verdicts.findIndex((v) => !v.valid)).toBe(k);
        expect(verdicts[k].own).toBe(false);
        const back = sentences.findIndex((sentence, i) => i > k && statedSlots(sentence).includes(slot));
        for (const [i, v] of verdicts.entries()) {
          if (i <= k) continue;
          if (i === back) expect([v.valid, v.own, v.inheritedFrom], `${sentences[i]} (${v.why})`).toEqual([false, true, k]);
          else if (slot !== "region" || i > back) expect(v.valid, `${sentences[i]} (${v.why})`).toBe(true);
        }
      }),
      { numRuns: 4000 },
    );
  });
});

describe("what is no step", () => {
  const facts: Facts = {
    modality: "MRI", region: "abdomen", side: "left", zone: "lower", organ: "kidney", kind: "cyst", count: "two", size: "larger", density: "dark",
  };
  const gold = (kind: QuestionKind): string[] => templatesFor(kind).map((templates) => fillTemplate(templates[0], facts));

  it.each([
    ["I will look at the image first.", /comments on itself/],
    ["Let me think about the MRI study.", /comments on itself/],
    ["The image is not an MRI study.", /negates/],
    ["The image is shown.", /states no fact|cannot|can read/],
    ["The image is an MRI CT study.", /contradicts itself|can read/],
    ["On the MRI the kidney kidney cyst.", /can read|stutters/],
    ["The hyperdense MRI cysts in the kidney are larger than the calibration disc.", /contradicts itself/],
    ["The outline on the MRI is that of the the abdomen.", /stutters/],
    ["Kidney left MRI two larger abdomen cysts lower.", /can read/],
    ["", /no words/],
    ["…", /no words/],
    ["Die Niere links zeigt zwei Zysten.", /can read/],
    [Array.from({ length: 12 }, () => "The MRI shows the abdomen").join(" "), /runs on/],
  ])("%j", (sentence, why) => {
    const sentences = [...gold("organ").slice(0, 2), sentence, ...gold("organ").slice(2)];
    const verdicts = verifyChain(facts, "organ", sentences);
    expect(verdicts[2]).toMatchObject({ alignment: 0, contribution: 0, valid: false, own: false, inheritedFrom: null });
    expect(verdicts[2].why).toMatch(why);
    // It leaves no trace in what the chain has claimed.
    expect(verdicts.filter((_, i) => i !== 2).every((v) => v.valid)).toBe(true);
  });

  it("repetition: the same sentence, or a paraphrase that adds nothing, wherever it stands", () => {
    fc.assert(
      fc.property(anyFacts, anyKind, anySeed, anySeed, fc.nat(5), fc.nat(5), (truth, kind, seed, again, which, later) => {
        const sentences = chainSentences(truth, { kind }, new RandomStream(seed));
        const repeated = chainSentences(truth, { kind }, new RandomStream(again))[which];
        const at = Math.min(6, which + 1 + later);
        // The last place is left to a conclusion: there a sentence that states what was asked counts as inferring it.
        fc.pre(at < 6 || which === 5);
        sentences.splice(at, 0, repeated);
        const verdicts = verifyChain(truth, kind, sentences);
        expect(verdicts[at].valid, `${sentences.join(" ")} — ${verdicts[at].why}`).toBe(false);
        expect(verdicts[at].own).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it("any text at all: one verdict a sentence, none of them valid by accident", () => {
    const vocabulary = [...new Set(gold("density").join(" ").match(/[A-Za-z-]+/g))];
    fc.assert(
      fc.property(anyKind, fc.array(fc.string({ unit: "binary" }), { maxLength: 8 }), (kind, sentences) => {
        const verdicts = verifyChain(facts, kind, sentences);
        expect(verdicts).toHaveLength(sentences.length);
        expect(verdicts.some((v) => v.valid)).toBe(false);
      }),
      { numRuns: 1000 },
    );
    let readable = 0;
    const rng = new RandomStream(8);
    const runs = 3000;
    for (let i = 0; i < runs; i++) {
      const words = Array.from({ length: 5 + rng.int(10) }, () => rng.pick(vocabulary));
      if (readSentence(`${words.join(" ")}.`).status === "stated") readable++;
    }
    expect(readable / runs).toBeLessThan(0.01);
  });

  it("gold sentences with their words shuffled are hardly ever read", () => {
    const rng = new RandomStream(9);
    let readable = 0;
    const runs = 3000;
    for (let i = 0; i < runs; i++) {
      const sentence = rng.pick(chainSentences(rng.pick(everyFacts), { kind: rng.pick(questionKinds) }, rng));
      const words = rng.shuffle(sentence.replace(".", "").split(" "));
      if (readSentence(words.join(" ")).status === "stated") readable++;
    }
    expect(readable / runs).toBeLessThan(0.03);
  });
});

describe("place and specificity", () => {
  const facts: Facts = {
    modality: "CT", region: "chest", side: "right", zone: "upper", organ: "lung", kind: "mass", count: "one", size: "smaller", density: "bright",
  };

  it("a finding before modality and region has no alignment, and counts only where the question needs it", () => {
    const sentence = "The lung on the right side contains one mass.";
    expect(verifyChain(facts, "modality", [sentence])[0]).toMatchObject({ alignment: 0, contribution: 0, valid: false });
    expect(verifyChain(facts, "count", [sentence])[0]).toMatchObject({ alignment: 0, contribution: 1, valid: true });
  });

  it("modality at the end of the chain is too late to set the context", () => {
    const gold = templatesFor("organ").map((templates) => fillTemplate(templates[0], facts));
    const late = ["The image is a study of the chest.", ...gold.slice(2, 4), "The image is a CT study."];
    expect(verifyChain(facts, "organ", late)[3]).toMatchObject({ alignment: 0, contribution: 0, why: "true but out of place" });
  });

  it("a sentence that leaves out part of what gold states is not aligned", () => {
    const sentences = ["The image is a CT study.", "The CT shows the chest.", "The upper part of the chest looks abnormal."];
    expect(verifyChain(facts, "modality", sentences)[2]).toMatchObject({ alignment: 0, contribution: 0, why: "true but less specific than gold" });
    expect(verifyChain(facts, "location", sentences)[2]).toMatchObject({ alignment: 0, contribution: 1, valid: true });
  });

  it("a truth that contradicts an earlier error is not valid, but its own", () => {
    const sentences = ["The image is an MRI study.", "The CT shows the chest."];
    const [first, second] = verifyChain(facts, "region", sentences);
    expect(first).toMatchObject({ valid: false, own: false, inheritedFrom: null });
    expect(second).toMatchObject({ valid: false, own: true, inheritedFrom: 0 });
  });
});

describe("corrupted chains", () => {
  it("fail first where their claims first part from the truth", () => {
    for (const name of ["biased", "confident"] as const) {
      fc.assert(
        fc.property(fc.nat(100_000), anySeed, (index, seed) => {
          const { scene, question } = phantomExample(1, "train", index);
          const chain = corruptChain(scene, question, corruptionProfiles[name], new RandomStream(seed));
          const verdicts = verifyChain(scene.facts, question.kind, chain.sentences);
          const wrong = slots.filter((slot) => chain.claims[slot] !== scene.facts[slot]);
          const expected = wrong.length === 0 ? -1 : Math.min(...wrong.map(firstStep));
          expect(verdicts.findIndex((v) => !v.valid), chain.sentences.join(" ")).toBe(expected);
        }),
        { numRuns: 1500 },
      );
    }
  });

  it("of the biased profile lie where a start policy should", () => {
    const rng = new RandomStream(3);
    const runs = 6000;
    let correct = 0, failing = 0, early = 0, contextRight = 0;
    for (let i = 0; i < runs; i++) {
      const { scene, question, example } = phantomExample(1, "test", i);
      const chain = corruptChain(scene, question, corruptionProfiles.biased, rng);
      const verdicts = verifyChain(scene.facts, question.kind, chain.sentences);
      const first = verdicts.findIndex((v) => !v.valid);
      if (chain.answer === example.answer) correct++;
      if (first >= 0) failing++;
      if (first >= 0 && first / verdicts.length < 1 / 3) early++;
      if (verdicts[0].valid && verdicts[1].valid) contextRight++;
    }
    expect(correct / runs).toBeGreaterThan(0.25);
    // What a policy could reach that imitates them without an error of its own.
    expect(correct / runs).toBeLessThan(0.7);
    expect(early / failing).toBeGreaterThan(0.55);
    expect(contextRight / runs).toBeGreaterThan(0.3);
    expect(contextRight / runs).toBeLessThan(0.5);
  });
});

describe("verifyExample", () => {
  it("reads the scene from the example, also after a trip through JSON", () => {
    const { example } = phantomExample(1, "test", 5);
    const sentences = (example.goldReasoning ?? "").split(/(?<=\.) /);
    const verdict = verifyExample(JSON.parse(JSON.stringify(example)) as typeof example, sentences);
    expect(verdict.status === "judged" && verdict.steps.every((v) => v.valid)).toBe(true);
  });

  it("leaves an example without a scene unscored", () => {
    const { example } = phantomExample(1, "test", 5);
    expect(verifyExample({ ...example, meta: undefined }, ["The image is a CT study."])).toMatchObject({ status: "unscored" });
    expect(verifyExample({ ...example, kind: "colour" }, [])).toMatchObject({ status: "unscored" });
  });
});
