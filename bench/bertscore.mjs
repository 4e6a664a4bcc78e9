// Pairs a second of BERTScore with a base-size BERT of random weights (12 layers, width 768), short answers.
//   npm run build && node bench/bertscore.mjs [pairs] [threads]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = process.env.BREAKWATER_DIST ?? new URL("../dist", import.meta.url).pathname;
const { openBertScore } = await import(join(root, "engine/index.js"));
const { writeSafetensors } = await import(join(root, "checkpoints/safetensors.js"));
const { bertShapes, parseBertConfig } = await import(join(root, "engine/local/bert/config.js"));

const pairs = Number(process.argv[2] ?? 512);
const threads = process.argv[3] === undefined ? undefined : Number(process.argv[3]);
const words = "left right upper lower lobe lung liver kidney mass nodule effusion opacity fracture edema mri ct axial contrast with of the in".split(" ");
const dir = mkdtempSync(join(tmpdir(), "breakwater-bert-"));
try {
  const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words];
  while (vocabulary.length < 30522) vocabulary.push(`token${vocabulary.length}`);
  const json = { model_type: "bert", vocab_size: 30522, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072, max_position_embeddings: 512 };
  writeFileSync(join(dir, "vocab.txt"), `${vocabulary.join("\n")}\n`);
  writeFileSync(join(dir, "config.json"), JSON.stringify(json));
  // A fixed sequence (Numerical Recipes' LCG): timing does not depend on the values.
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  const tensors = new Map();
  for (const [name, shape] of bertShapes(parseBertConfig(json, "config.json"), 12)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const scale = name.endsWith("LayerNorm.weight") ? 0 : 0.07;
    for (let i = 0; i < data.length; i++) data[i] = scale === 0 ? 1 : scale * next();
    tensors.set(name, { shape, data });
  }
  writeSafetensors(join(dir, "model.safetensors"), tensors);

  const phrase = (seed, n) => Array.from({ length: n }, (_, i) => words[(seed * 7 + i * (seed % 5 + 3)) % words.length]).join(" ");
  // Groups of eight answers to one gold answer, as a training step has them.
  const batch = (from, n) => Array.from({ length: n }, (_, i) => ({ answer: `${phrase(from + i, 2 + (i % 6))} ${from + i}`, gold: phrase(from + 1000 * Math.floor(i / 8), 4) }));
  let t = performance.now();
  const encoder = await openBertScore({ path: dir, threads });
  const opened = performance.now() - t;
  await encoder.f1(batch(1_000_000, Math.min(64, pairs)));
  t = performance.now();
  await encoder.f1(batch(0, pairs));
  const seconds = (performance.now() - t) / 1000;
  console.log(JSON.stringify({ pairs, threads: threads ?? "half of the cores", openSeconds: +(opened / 1000).toFixed(2), seconds: +seconds.toFixed(2), pairsPerSecond: +(pairs / seconds).toFixed(1) }));
  await encoder.close();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
