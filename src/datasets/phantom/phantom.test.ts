import fc from "fast-check";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RandomStream } from "../../util/random.js";
import { fillTemplate, stepSpecs, conclusionTemplates, templatesFor } from "./chain.js";
import { drawScene, encodePng } from "./draw.js";
import { corpusForTokenizer, phantomExample, sceneOf } from "./example.js";
import { allFacts, densityTerm, factsKey, modalities, regions, slots, type Facts } from "./facts.js";
import { answerTo, questionKinds, questionSpecs } from "./questions.js";
import { sampleScene, splitOf } from "./scene.js";
import { writePhantomDataset } from "./write.js";

describe("scenes", () => {
  it("are a function of seed, split and index", () => {
    expect(sampleScene(3, 17, "train")).toEqual(sampleScene(3, 17, "train"));
    expect(sampleScene(3, 17, "train")).not.toEqual(sampleScene(4, 17, "train"));
    expect(sampleScene(3, 17, "train")).not.toEqual(sampleScene(3, 18, "train"));
  });

  it("never share a combination of facts between the splits, whatever the seeds", () => {
    const train = new Set<string>();
    for (let i = 0; i < 6000; i++) train.add(factsKey(sampleScene(i % 7, i, "train").facts));
    for (let i = 0; i < 3000; i++) {
      const { facts } = sampleScene(100 + (i % 5), i, "test");
      expect(train.has(factsKey(facts))).toBe(false);
      expect(splitOf(facts)).toBe("test");
    }
    // The training scenes do cover what there is to train on.
    expect(train.size).toBeGreaterThan(0.95 * allFacts().filter((facts) => splitOf(facts) === "train").length);
  });

  it("hold out about a fifth, and every single value occurs in both splits", () => {
    const all = allFacts();
    expect(new Set(all.map(factsKey)).size).toBe(all.length);
    expect(all.length).toBe(1092);
    const test = all.filter((facts) => splitOf(facts) === "test");
    expect(test.length / all.length).toBeGreaterThan(0.17);
    expect(test.length / all.length).toBeLessThan(0.23);
    for (const slot of slots)
      for (const value of new Set(all.map((facts) => facts[slot]))) {
        const share = test.filter((f) => f[slot] === value).length / all.filter((f) => f[slot] === value).length;
        expect(share, `${slot} ${value}`).toBeGreaterThan(0);
        expect(share, `${slot} ${value}`).toBeLessThan(0.6);
      }
  });
});

describe("drawing", () => {
  it("gives the same bytes for the same scene, and others for another layout", () => {
    const scene = sampleScene(1, 0, "train");
    expect(drawScene(scene)).toEqual(drawScene(scene));
    expect(drawScene(scene)).not.toEqual(drawScene({ ...scene, layout: scene.layout ^ 1 }));
    expect(drawScene(scene, { size: 96 })).toHaveLength(96 * 96);
  });

  it("is seen: changing any one fact changes the picture by more than noise would", () => {
    const base: Facts = {
      modality: "CT", region: "chest", side: "left", zone: "upper", organ: "lung", kind: "mass", count: "two", size: "larger", density: "bright",
    };
    const others: Partial<Facts>[] = [
      { modality: "MRI" }, { region: "head", organ: "cerebrum" }, { side: "right" }, { zone: "lower" }, { kind: "cyst" }, { count: "three" },
      { size: "smaller" }, { density: "dark" },
    ];
    const scene = (facts: Facts): Parameters<typeof drawScene>[0] => ({ facts, layout: 5, distractors: [], discCorner: "bottom-left" });
    const reference = drawScene(scene(base));
    for (const other of others) {
      const picture = drawScene(scene({ ...base, ...other }));
      const strong = picture.filter((value, i) => Math.abs(value - reference[i]) > 40).length;
      expect(strong, JSON.stringify(other)).toBeGreaterThan(12);
    }
  });

  it("puts the patient's right on the picture's left", () => {
    const facts: Facts = {
      modality: "CT", region: "chest", side: "right", zone: "upper", organ: "lung", kind: "mass", count: "three", size: "larger", density: "bright",
    };
    const picture = (f: Facts): Uint8Array => drawScene({ facts: f, layout: 9, distractors: [], discCorner: "bottom-left" });
    const right = picture(facts);
    const left = picture({ ...facts, side: "left" });
    const brightHalf = (pixels: Uint8Array, from: number, to: number): number => {
      let sum = 0;
      for (let row = 10; row < 32; row++) for (let column = from; column < to; column++) sum += pixels[row * 64 + column];
      return sum;
    };
    expect(brightHalf(right, 8, 28)).toBeGreaterThan(brightHalf(left, 8, 28) + 5000);
    expect(brightHalf(left, 36, 56)).toBeGreaterThan(brightHalf(right, 36, 56) + 5000);
  });

  it("refuses an impossible size by name", () => {
    expect(() => drawScene(sampleScene(1, 0, "train"), { size: 8 })).toThrow(/8 pixels a side.*32 to 1024/);
  });

  it("encodes 8-bit grey PNG without loss", async () => {
    const pixels = drawScene(sampleScene(1, 3, "train"));
    const png = await encodePng(pixels, 64);
    const { data, info } = await sharp(png).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([64, 64, 1]);
    expect(new Uint8Array(data)).toEqual(pixels);
  });
});

describe("questions", () => {
  it("have answers of one or two words, and all kinds occur", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const { example } = phantomExample(1, "train", i);
      seen.add(example.kind ?? "");
      expect(example.answer.split(" ").length).toBeLessThanOrEqual(2);
    }
    expect(seen.size).toBe(questionKinds.length);
  });

  it("state in the answer exactly the slots they ask for", () => {
    const all = allFacts();
    for (const kind of questionKinds) {
      const { asks, needs } = questionSpecs[kind];
      expect(asks.every((slot) => needs.includes(slot))).toBe(true);
      const byAsked = new Map<string, string>();
      for (const facts of all) {
        const key = asks.map((slot) => facts[slot]).join("|");
        const answer = answerTo(kind, facts);
        expect(byAsked.get(key) ?? answer).toBe(answer);
        byAsked.set(key, answer);
      }
      expect(new Set(byAsked.values()).size).toBe(byAsked.size);
    }
  });

  it("score below the gate 0.6 lexically unless they are right", () => {
    // Unigram F1 on alphanumeric runs (as ROUGE cuts them: "X-ray" is two) and unigram precision on blanks (as BLEU-1 does);
    // answers of one question have equally many words, so that there is no brevity penalty.
    const overlap = (a: readonly string[], b: readonly string[]): number => a.filter((word) => b.includes(word)).length;
    for (const kind of questionKinds) {
      const answers = [...new Set(allFacts().map((facts) => answerTo(kind, facts).toLowerCase()))];
      for (const gold of answers)
        for (const wrong of answers) {
          if (wrong === gold) continue;
          const [g, w] = [gold.split(/[^a-z]+/), wrong.split(/[^a-z]+/)];
          const [gb, wb] = [gold.split(" "), wrong.split(" ")];
          expect(gb.length).toBe(wb.length);
          const score = 0.5 * ((2 * overlap(g, w)) / (g.length + w.length)) + 0.5 * (overlap(gb, wb) / wb.length);
          expect(score, `${wrong} for ${gold}`).toBeLessThan(0.6);
        }
    }
  });
});

describe("chains", () => {
  it("state the same facts in every paraphrase of a step", () => {
    // Two worlds that differ in every slot: a paraphrase that states a slot changes when only that slot does.
    const base: Facts = {
      modality: "CT", region: "chest", side: "left", zone: "upper", organ: "lung", kind: "mass", count: "two", size: "larger", density: "bright",
    };
    const other: Facts = {
      modality: "MRI", region: "head", side: "right", zone: "lower", organ: "cerebellum", kind: "cyst", count: "three", size: "smaller", density: "dark",
    };
    const statedBy = (template: string): string =>
      slots.filter((slot) => fillTemplate(template, base) !== fillTemplate(template, { ...base, [slot]: other[slot] })).join(" ");
    for (const spec of stepSpecs) {
      const want = slots.filter((slot) => spec.adds.includes(slot) || spec.names.includes(slot)).join(" ");
      for (const template of spec.templates) expect(statedBy(template), template).toBe(want);
    }
    for (const kind of questionKinds) {
      const stated = conclusionTemplates[kind].map(statedBy);
      expect(new Set(stated).size, `${kind}: ${stated.join(" / ")}`).toBe(1);
      for (const slot of questionSpecs[kind].asks) expect(stated[0].split(" ")).toContain(slot);
    }
  });

  it("have four to eight short sentences, one token of punctuation each", () => {
    for (const kind of questionKinds) {
      expect(templatesFor(kind)).toHaveLength(6);
      const sentences = allFacts().flatMap((facts, i) => (i % 11 === 0 ? templatesFor(kind).flat().map((t) => fillTemplate(t, facts)) : []));
      expect(sentences.filter((sentence) => !/^[A-Z][A-Za-z -]+\.$/.test(sentence))).toEqual([]);
      expect(Math.max(...sentences.map((sentence) => sentence.split(" ").length))).toBeLessThanOrEqual(15);
    }
  });

  it("use the density word of their modality", () => {
    const words = modalities.flatMap((modality) => [densityTerm(modality, "bright"), densityTerm(modality, "dark")]);
    expect(new Set(words).size).toBe(6);
  });

  it("draw only on words of the tokenizer's corpus", () => {
    const corpus = new Set(corpusForTokenizer().join(" ").match(/[A-Za-z-]+/g));
    expect(corpus.size).toBeLessThan(300);
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom("train" as const, "test" as const), (index, split) => {
        const { example } = phantomExample(2, split, index);
        const words = `${example.question} ${example.goldReasoning ?? ""} ${example.answer}`.match(/[A-Za-z-]+/g) ?? [];
        expect(words.filter((word) => !corpus.has(word))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the data set folder", () => {
  let root: string;
  beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "phantom-"))));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const options = { seed: 4, train: 12, test: 5, size: 48, difficulty: "easy" } as const;

  interface Row { image: string; problem: string; solution: string; id: string; kind: string; meta: Record<string, unknown> }
  interface Reasoning { image_path: string; question: string; answer: string; solution: string }
  const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(root, ...path), "utf8")) as T;

  it("holds the reference's files, whose scenes redraw their pictures", async () => {
    const result = await writePhantomDataset(join(root, "a"), options);
    expect(result.written).toBe(true);
    for (const split of ["train", "test"] as const) {
      const rows = json<Row[]>("a", `${split}.json`);
      const reasoning = json<Reasoning[]>("a", `${split}-reasoning.json`);
      expect(rows).toHaveLength(options[split]);
      expect(reasoning.map((row) => [row.image_path, row.question, row.answer])).toEqual(rows.map((row) => [row.image, row.problem, row.solution]));
      for (const [i, row] of rows.entries()) {
        const found = sceneOf(row);
        expect(found?.kind).toBe(row.kind);
        const pixels = await sharp(join(root, "a", row.image)).toColourspace("b-w").raw().toBuffer();
        expect(found && drawScene(found.scene, options)).toEqual(new Uint8Array(pixels));
        expect(reasoning[i].solution).toBe(phantomExample(4, split, i).example.goldReasoning);
      }
    }
    expect(readdirSync(root)).toEqual(["a"]);
  });

  it("is the same byte for byte when written again, and kept when already there", async () => {
    await writePhantomDataset(join(root, "b"), options);
    for (const name of ["train.json", "test.json", "phantom.json", "train-reasoning.json", "images/train-000003.png"])
      expect(readFileSync(join(root, "b", name))).toEqual(readFileSync(join(root, "a", name)));
    expect((await writePhantomDataset(join(root, "a"), options)).written).toBe(false);
  });

  it("refuses a folder that holds something else, and touches nothing", async () => {
    await expect(writePhantomDataset(join(root, "a"), { ...options, seed: 5 })).rejects.toThrow(/another phantom data set \(seed 4, not 5\)/);
    mkdirSync(join(root, "mine"));
    writeFileSync(join(root, "mine", "notes.txt"), "keep");
    await expect(writePhantomDataset(join(root, "mine"), options)).rejects.toThrow(/not empty and holds no phantom/);
    expect(readFileSync(join(root, "mine", "notes.txt"), "utf8")).toBe("keep");
    rmSync(join(root, "b", "images", "test-000001.png"));
    await expect(writePhantomDataset(join(root, "b"), options)).rejects.toThrow(/changed or are missing/);
    await expect(writePhantomDataset(join(root, "c"), { ...options, train: -1 })).rejects.toThrow(/train is -1/);
    await expect(writePhantomDataset(join(root, "mine", "notes.txt"), options)).rejects.toThrow(/is a file/);
  });
});

describe("coverage of classes", () => {
  it("draws modalities and regions about equally often", () => {
    const rng = new RandomStream(1);
    const scenes = Array.from({ length: 1800 }, () => sampleScene(9, rng.int(1e9), "test").facts);
    for (const modality of modalities) expect(scenes.filter((f) => f.modality === modality).length / 1800).toBeGreaterThan(0.25);
    for (const region of regions) expect(scenes.filter((f) => f.region === region).length / 1800).toBeGreaterThan(0.25);
  });
});
