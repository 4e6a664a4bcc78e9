import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { BertScorer } from "../../../rewards/bert-score.js";
import { stripBlanks } from "../../../util/blanks.js";
import { openScorer } from "./open-encoder.js";
import { BuiltEncoder } from "./built-encoder.js";
import { TextTokens } from "./tokens.js";
import { readTorchFile } from "./torch-file.js";

interface Pair {
  readonly answer: string;
  readonly gold: string;
  readonly rouge1: number;
  readonly bleu1: number;
  /** precision, recall, F1 by the Python library; null where it gives NaN */
  readonly bert: readonly (number | null)[];
  readonly roberta: readonly (number | null)[];
  readonly combined: number;
  readonly tokens: Readonly<Record<string, readonly number[]>>;
}
const fixtures = new URL("../../../../interop/fixtures/", import.meta.url);
const folder = (name: string): string => fileURLToPath(new URL(name, fixtures));
const { layer, pairs } = JSON.parse(readFileSync(new URL("answer-score.json", fixtures), "utf8")) as { layer: number; pairs: readonly Pair[] };
const opened: BertScorer[] = [];
afterAll(() => Promise.all(opened.map((scorer) => scorer.close())));

async function open(name: string, at: number | undefined): Promise<BertScorer> {
  const scorer = await openScorer({ path: folder(name), layer: at, threads: 1, provider: "cpu" });
  opened.push(scorer);
  return scorer;
}
const stripped = pairs.map(({ answer, gold }) => ({ answer: stripBlanks(answer), gold: stripBlanks(gold) }));

function worst(scores: readonly { precision: number; recall: number; f1: number }[], expected: (pair: Pair) => readonly (number | null)[]): { off: number; at: string } {
  let most = { off: 0, at: "" };
  scores.forEach(({ precision, recall, f1 }, i) => {
    for (const [j, value] of [precision, recall, f1].entries()) {
      const [p, r] = expected(pairs[i]);
      // Without any token that counts the library's means are 0/0 on that side; ours are 0 on both, F1 as its.
      if (j < 2 && (p === null || r === null)) continue;
      const off = Math.abs(value - (expected(pairs[i])[j] ?? NaN));
      if (!(off <= most.off)) most = { off, at: `${JSON.stringify(pairs[i].answer)} / ${JSON.stringify(pairs[i].gold)}: ${value}` };
    }
  });
  return most;
}

describe("against Hugging Face's tokenizers and bert_score", () => {
  test.each(["bert-tiny", "roberta-tiny"])("ids of every answer by %s", (name) => {
    const tokens = new TextTokens(folder(name), name === "bert-tiny" ? 48 : 60);
    for (const pair of pairs) expect({ answer: pair.answer, ids: tokens.encode(pair.answer).ids }).toEqual({ answer: pair.answer, ids: pair.tokens[name] });
  });

  test.each([
    ["bert-tiny", (pair: Pair) => pair.bert],
    ["bert-tiny-zip", (pair: Pair) => pair.bert],
    ["bert-tiny-legacy", (pair: Pair) => pair.bert],
    ["roberta-tiny", (pair: Pair) => pair.roberta],
  ] as const)("precision, recall and F1 of every pair by %s", async (name, expected) => {
    expect(pairs.length).toBeGreaterThan(300);
    const scores = await (await open(name, layer)).scores(stripped);
    const { off, at } = worst(scores, expected);
    expect(off, at).toBeLessThan(1e-5);
  });
});

describe("weights and configurations", () => {
  test("a text's embedding does not depend on its company", async () => {
    const texts = stripped.filter((_, i) => i % 9 === 0).map(({ answer }) => answer);
    const encoder = new BuiltEncoder({ path: folder("bert-tiny"), threads: 2, provider: "cpu" });
    const together = await encoder.embed(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await encoder.embed([text]);
      expect(alone.vectors, JSON.stringify(text)).toEqual(together[i].vectors);
    }
    await encoder.close();
  });

  test("layers: 0 is the embeddings, the last is the default, others are refused", async () => {
    expect((await open("bert-tiny", undefined)).name).toBe(`BERTScore of ${folder("bert-tiny")}, layer 3`);
    const values = await Promise.all([0, 1, 2, 3].map(async (at) => (await (await open("bert-tiny", at)).f1([{ answer: "left lung", gold: "mass in the right lung" }]))[0]));
    expect(new Set(values.map((value) => value.toFixed(6))).size).toBe(4);
    await expect(open("bert-tiny", 4)).rejects.toThrow(/layer 4 of .*bert-tiny: the encoder has 3 layers/);
  });

  test("an exported .onnx gives what the built graph gives", async () => {
    const dir = mkdtempSync(join(tmpdir(), "breakwater-onnx-"));
    try {
      for (const file of ["vocab.txt", "tokenizer_config.json", "config.json"]) copyFileSync(join(folder("bert-tiny"), file), join(dir, file));
      mkdirSync(join(dir, "onnx"));
      copyFileSync(folder("bert-tiny-onnx/model.onnx"), join(dir, "onnx", "model.onnx"));
      const scorer = await openScorer({ path: dir, threads: 1, provider: "cpu" });
      opened.push(scorer);
      const own = await (await open("bert-tiny", 3)).f1(stripped.slice(0, 60));
      const exported = await scorer.f1(stripped.slice(0, 60));
      own.forEach((value, i) => expect(exported[i]).toBeCloseTo(value, 5));
      await expect(openScorer({ path: dir, layer: 2, threads: 1, provider: "cpu" })).rejects.toThrow(/layer 2 of model.onnx: its outputs are last_hidden_state/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("a PyTorch file that would call something is refused by its name, and nothing is called", () => {
    expect(() => readTorchFile(folder("bert-tiny-zip/evil.bin"))).toThrow(/calls (__builtin__|builtins)\.print when it is loaded.*was not run/);
  });

  test("cut-off and foreign files are named", () => {
    const dir = mkdtempSync(join(tmpdir(), "breakwater-torch-"));
    try {
      for (const name of ["bert-tiny-zip", "bert-tiny-legacy"]) {
        const whole = readFileSync(folder(`${name}/pytorch_model.bin`));
        for (const keep of [0, 3, 100, 5000, whole.length - 10]) {
          const path = join(dir, "cut.bin");
          writeFileSync(path, whole.subarray(0, keep));
          expect(() => readTorchFile(path), `${name} ${keep}`).toThrow(/cut\.bin is no sound PyTorch file/);
        }
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("what is no encoder is refused", async () => {
    const at = (path: string) => openScorer({ path, threads: 1, provider: "cpu" });
    await expect(at("/nowhere/at/all")).rejects.toThrow(/does not exist/);
    await expect(at(folder("answer-score.json"))).rejects.toThrow(/no \.onnx one/);
    await expect(at(folder("qwen3vl-tiny"))).rejects.toThrow(/model_type "qwen3_vl" is no BERT-family encoder/);
  });
});
