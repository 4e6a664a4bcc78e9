/**
 * `breakwater train` on a Tinker server that is real: SkyRL's, with its JAX backend on the CPU. The task is the text form
 * of the phantom, the policy a small model without its eyes. Skipped where Python has no such server.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePhantomDataset } from "../src/datasets/phantom/write.js";
import { readManifest } from "../src/engine/tinker/manifest.js";
import { openRun } from "../src/store/reader.js";
import { commandFolder } from "./support/cli.js";
import { skipMessage, skyrlPython, SkyrlServer, writeTextCheckpoint } from "./support/skyrl-server.js";

const python = skyrlPython();
/** The policy that is shipped knows the sentences; it has to learn to take the facts from words instead of a picture. */
const start = fileURLToPath(new URL("../assets/start/phantom-biased", import.meta.url));
const rank = 32;
/** Minutes where the machine has other work: the server compiles each shape of a batch once. */
const patience = 1_800_000;

if (python === null) {
  it.skip(skipMessage, () => undefined);
} else {
  describe("training through SkyRL's server", () => {
    const { folder, cli } = commandFolder("skyrl");
    const at = (...names: string[]): string => join(folder, ...names);
    let server: SkyrlServer;
    beforeAll(async () => {
      await writePhantomDataset(at("data"), { train: 512, test: 16, text: true });
      writeTextCheckpoint(python, start, at("text-model"));
      server = await SkyrlServer.start({
        ...{ python, model: at("text-model"), folder },
        backend: { max_lora_adapters: 5, max_lora_rank: rank, train_micro_batch_size: 16, sample_max_num_sequences: 16 },
      });
    }, patience);
    afterAll(() => server.kill());

    const engine = (): string[] => ["--engine.kind", "tinker", "--engine.base-url", server.url, "--engine.trainable", "lora", "--engine.lora.rank", String(rank), "--engine.tinker.patience-seconds", "20", "--engine.tinker.reduction", "mean"];
    const train = async (output: string, ...args: string[]) => {
      const ended = await cli(["train", "--data.path", at("data"), "--output", at(output), "--optimizer.max-grad-norm", "0", ...engine(), ...args]);
      if (ended.code !== 0) throw new Error(`${ended.stdout}\n${ended.stderr}`);
      return openRun(at(output)).metrics();
    };
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    // One question over and over: what 20 updates can be seen to learn.
    const rl = ["--data.limit", "1", "--steps", "20", "--batch.prompts", "1", "--sampling.group-size", "16", "--sampling.max-tokens", "112", "--optimizer.learning-rate", "4e-3", "--checkpoint.every", "10"];

    it("lowers the loss of supervised training, and saves weights that a run can start from", async () => {
      const metrics = await train("sft", "--method", "sft", "--model", start, "--steps", "25", "--batch.prompts", "16", "--optimizer.learning-rate", "5e-3");
      const losses = metrics.map(({ loss }) => loss);
      expect(mean(losses.slice(-5)), losses.map((l) => l.toFixed(2)).join(" ")).toBeLessThan(0.7 * losses[0]);
      expect(readManifest(at("sft", "model"))).toMatchObject({ what: "weights", loraRank: rank, optimizerSteps: 25 });
      expect(readdirSync(at("sft", "model"))).toEqual(expect.arrayContaining(["adapter_model.safetensors", "adapter_config.json", "config.json", "tokenizer.json"]));
    }, patience);

    it.each(["grpo", "mrpo"])("raises the reward with %s over 20 steps", async (method) => {
      // MRPO with the KL term, GRPO without.
      const metrics = await train(method, "--method", method, "--loss.beta", method === "mrpo" ? "0.01" : "0", "--model", at("sft", "model"), ...rl);
      const rewards = metrics.map(({ rewardMean }) => rewardMean ?? Number.NaN);
      expect(rewards).toHaveLength(20);
      expect(mean(rewards.slice(-5)), rewards.map((r) => r.toFixed(2)).join(" ")).toBeGreaterThan(mean(rewards.slice(0, 5)) + 0.2);
    }, patience);

    it("loses nothing that was saved when the server is killed in the middle of a run", async () => {
      const args = ["train", "--method", "grpo", "--model", at("sft", "model"), "--data.path", at("data"), "--output", at("killed"), "--loss.beta", "0", "--optimizer.max-grad-norm", "0", ...engine(), ...rl];
      const running = cli([...args, "--steps", "6", "--checkpoint.every", "2", "--engine.tinker.patience-seconds", "2"]);
      const rows = (): number => (existsSync(at("killed", "metrics.jsonl")) ? readFileSync(at("killed", "metrics.jsonl"), "utf8").split("\n").length - 1 : 0);
      while (rows() < 3) await new Promise((done) => setTimeout(done, 50));
      await server.kill();
      const ended = await running;
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).toMatch(/cannot be reached.*--resume/s);
      server = await server.restart();
      const resumed = await cli(["train", "--resume", at("killed")]);
      expect(resumed.code, resumed.stderr).toBe(0);
      // Step by step what the run that was not interrupted did.
      const metrics = openRun(at("killed")).metrics();
      expect(metrics).toHaveLength(6);
      expect(metrics).toEqual(openRun(at("grpo")).metrics().slice(0, 6));
    }, patience);
  });
}
