// Whether memory stays flat: resident megabytes over many steps of sampling and training.
import { adamW, makeBatch, makePrompts, openEngine, openProcessor, policyLoss } from "./workload.mjs";

const megabytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

export async function memoryOverSteps(model, steps, print) {
  const engine = await openEngine(model.dir);
  const processor = openProcessor(model.dir);
  const rows = (await makeBatch(engine, processor)).slice(0, 16);
  const requests = makePrompts(processor).slice(0, 4).map(({ prompt }, p) => ({ prompt, seeds: [p, p + 1, p + 2, p + 3] }));
  const seen = [];
  for (let step = 1; step <= steps; step++) {
    // Lengths vary, so that graphs of several shapes come and go.
    const cut = 40 + ((step * 13) % 40);
    const shorter = rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, k === "prompt" ? v : v.slice(0, cut)])));
    await engine.sample(requests, { maxTokens: 16, temperature: 1 });
    await engine.forwardBackward(shorter, policyLoss);
    await engine.optimStep(adamW);
    if (step % Math.max(1, Math.floor(steps / 10)) === 0) {
      seen.push({ step, megabytes: megabytes() });
      print(`  step ${step}: ${megabytes()} MB`);
    }
  }
  await engine.close();
  const [, , ...late] = seen;
  const growth = late.length < 2 ? null : late[late.length - 1].megabytes - late[0].megabytes;
  return { steps: seen, growthMegabytes: growth };
}
