// npm run bench [-- --json FILE] [--only gemm,train,rollout,step] [--sizes 1M,6M] [--rounds 5] [--memory [--steps 500]]
// Speed of the local engine on this machine, beside PyTorch where Python (BREAKWATER_PYTHON or python3) has it.
// Leave the machine idle while it runs. flops.mjs says how operations are counted.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { trainFlops } from "./flops.mjs";
import { gemmGflops } from "./gemm.mjs";
import { memoryOverSteps } from "./memory.mjs";
import { wholeStep } from "./step.mjs";
import { hasTorch, TorchPeer } from "./torch.mjs";
import { makeBatch, makeModel, makePrompts, median, openEngine, openProcessor, GROUP, policyLoss, ROLLOUT_TOKENS, rowTokens } from "./workload.mjs";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    only: { type: "string", default: "gemm,train,rollout,step" },
    sizes: { type: "string", default: "1M,6M" },
    rounds: { type: "string", default: "5" },
    memory: { type: "boolean", default: false },
    steps: { type: "string", default: "500" },
    "rl-steps": { type: "string", default: "6" },
    "teach-steps": { type: "string", default: "80" },
    "no-torch": { type: "boolean", default: false },
  },
});
const only = new Set(values.only.split(","));
const sizes = values.sizes.split(",");
const rounds = Number(values.rounds);
const print = (line) => process.stdout.write(`${line}\n`);
const spread = (list) => `${Math.min(...list).toFixed(2)} to ${Math.max(...list).toFixed(2)}`;

async function seconds(body) {
  const started = performance.now();
  await body();
  return (performance.now() - started) / 1000;
}

/**
 * Rounds of ours and theirs, alternately, as the machine's speed changes; theirs is null without torch. With `gemm` its
 * matrix product is timed before and after ours.
 */
async function alternate(ours, theirs, { gemm = false } = {}) {
  await ours();
  if (theirs) await theirs();
  const rates = { ours: [], ratios: [], toGemm: [] };
  for (let i = 0; i < rounds; i++) {
    const before = gemm ? await gemmGflops(3) : NaN;
    const rate = await ours();
    rates.ours.push(rate);
    if (gemm) rates.toGemm.push((2 * rate) / (before + (await gemmGflops(3))));
    if (theirs) rates.ratios.push(rate / (await theirs()));
  }
  return { rate: median(rates.ours), ratio: theirs ? median(rates.ratios) : null, ...rates };
}

function peerFor(root, model, rows) {
  const prompts = [...new Set(rows.map((row) => row.prompt))];
  const images = prompts.map(({ images: [{ grid, patches }] }) => ({ grid: [grid.t, grid.h, grid.w], patches: Array.from(patches) }));
  const file = join(root, "torch.json");
  const asJson = rows.map(({ prompt, ...row }) => ({ ...row, prompt: prompt.tokens, image: prompts.indexOf(prompt) }));
  writeFileSync(file, JSON.stringify({ rows: asJson, images, loss: policyLoss }));
  return new TorchPeer(model.dir, file);
}

async function measureSize(root, size, torch, result) {
  const model = makeModel(root, size);
  if (only.has("train") || only.has("rollout")) {
    const engine = await openEngine(model.dir);
    const processor = openProcessor(model.dir);
    const rows = await makeBatch(engine, processor);
    const peer = torch ? peerFor(root, model, rows) : null;
    if (only.has("train")) {
      const tokens = rowTokens(rows);
      let loss = NaN;
      const ours = async () => tokens / (await seconds(async () => ({ loss } = await engine.forwardBackward(rows, policyLoss))));
      let torchLoss = NaN;
      let micro = 0;
      const theirs = peer && (async () => {
        const answer = await peer.ask({ do: "train" });
        ({ loss: torchLoss, micro } = answer);
        return tokens / answer.seconds;
      });
      const { rate, ratio, ratios, toGemm } = await alternate(ours, theirs, { gemm: true });
      const sharesOf = (count) => {
        const perToken = trainFlops(model.config, rows, count) / tokens;
        return toGemm.map((perGemm) => (perToken * perGemm) / 1e9);
      };
      const [whole, executed] = ["whole", "executed"].map(sharesOf);
      result.train.push({ size, tokensPerSecond: rate, gemmShare: median(whole), executedShare: median(executed), torchRatio: ratio });
      const percent = (shares) => `${(100 * median(shares)).toFixed(1)}% (${spread(shares.map((s) => 100 * s))})`;
      print(`train ${size}: ${Math.round(rate)} tokens/s; of the GEMM rate ${percent(whole)}, rows counted whole, ${percent(executed)} as executed${ratio === null ? "" : `, ${ratio.toFixed(2)} × PyTorch (${spread(ratios)}; its micro-batch ${micro})`}`);
      if (peer && !(Math.abs(loss - torchLoss) < 1e-3 * (1 + Math.abs(loss)))) throw new Error(`the losses differ: ours ${loss}, PyTorch's ${torchLoss}`);
    }
    if (only.has("rollout")) {
      let seed = 0;
      const requests = () => makePrompts(processor).map(({ prompt }) => ({ prompt, seeds: Array.from({ length: GROUP }, () => seed++) }));
      const ours = async () => {
        let tokens = 0;
        const asked = requests();
        const time = await seconds(async () => {
          const out = await engine.sample(asked, { maxTokens: ROLLOUT_TOKENS, temperature: 1 });
          tokens = out.flat().reduce((n, s) => n + s.tokens.length, 0);
        });
        return tokens / time;
      };
      const theirs = peer && (async () => {
        const { seconds: time, tokens } = await peer.ask({ do: "generate", tokens: ROLLOUT_TOKENS });
        return tokens / time;
      });
      const { rate, ratio, ratios } = await alternate(ours, theirs);
      result.rollout.push({ size, tokensPerSecond: rate, generateRatio: ratio });
      print(`rollout ${size}: ${Math.round(rate)} tokens/s${ratio === null ? "" : `, ${ratio.toFixed(2)} × transformers' generate (${spread(ratios)})`}`);
    }
    peer?.close();
    await engine.close();
  }
  if (only.has("step")) {
    const step = await wholeStep(root, model, size, { steps: Number(values["rl-steps"]), teachSteps: Number(values["teach-steps"]) });
    result.step.push({ size, ...step });
    print(`whole RL step ${size}: ${step.seconds.toFixed(2)} s, ${(100 * step.outsideEngineShare).toFixed(2)}% outside the engine`);
  }
}

const root = mkdtempSync(join(tmpdir(), "breakwater-bench-"));
try {
  if (values.memory) {
    const { growthMegabytes } = await memoryOverSteps(makeModel(root, sizes[0]), Number(values.steps), print);
    print(`memory: ${growthMegabytes} MB more at the last step than after three tenths of them`);
  } else {
    const torch = !values["no-torch"] && hasTorch();
    if (!torch && !values["no-torch"]) print("no Python with torch and transformers found (BREAKWATER_PYTHON): our own numbers only");
    const gflops = await gemmGflops(Math.max(3, rounds));
    print(`GEMM 2048³: ${gflops.toFixed(0)} GFLOP/s on ${availableParallelism()} cores`);
    const result = { gemmGflops: gflops, train: [], rollout: [], step: [] };
    for (const size of sizes) await measureSize(root, size, torch, result);
    if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
