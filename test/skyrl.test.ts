/** The tinker engine against SkyRL's own server: the same update as the local engine, lost connections, a killed server. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readAdapter, writeAdapter, type LoraAdapter } from "../src/checkpoints/adapter.js";
import type { AdamWParams, Engine, LossSpec } from "../src/engine/engine.js";
import { createLocalEngine } from "../src/engine/local/index.js";
import { encodePass } from "../src/engine/tinker/proto.js";
import type { PassRequest, WireDatum } from "../src/engine/tinker/wire.js";
import type { Datum, Prompt } from "../src/types.js";
import { UserError } from "../src/util/errors.js";
import { RandomStream } from "../src/util/random.js";
import { CuttingProxy } from "./support/cutting-proxy.js";
import { skipMessage, skyrlPython } from "./support/skyrl-server.js";
import { tinySkyrl } from "./support/tiny-skyrl.js";

const python = skyrlPython();
const script = fileURLToPath(new URL("../interop/skyrl/wire_fixtures.py", import.meta.url));

if (python === null) {
  it.skip(skipMessage, () => undefined);
} else {
  describe("SkyRL's server", () => {
    const { tiny, folder, model, url, open, restart } = tinySkyrl(python, 20, { pause: 0.2 });

    const prompts: Prompt[] = ["What is in the lung?", "See the scan: what is it?", "A nodule"].map((text) => ({ tokens: tiny.tokenizer.encode(text), images: [] }));
    const random = new RandomStream(8);
    const bare = prompts.map((prompt, i) => ({ prompt, completion: Array.from({ length: 5 + 2 * i }, () => random.int(250)) }));
    const policy: LossSpec = { kind: "policy", epsLow: 0.2, epsHigh: 0.2, klCoef: 0.1, temperature: 1 };
    // A large eps keeps the update linear in the gradient: a sign flipped by rounding would make steps of full size.
    const adamW: AdamWParams = { learningRate: 1, beta1: 0.9, beta2: 0.99, eps: 1, weightDecay: 0, maxGradNorm: 0 };
    const rolloutsOf = (now: readonly (readonly number[])[]): Datum[] =>
      bare.map((row, i) => {
        const values = new RandomStream(20 + i);
        return {
          ...row,
          weights: row.completion.map(() => 1 / (bare.length * row.completion.length)),
          advantages: row.completion.map(() => values.normal()),
          logprobs: now[i].map((p) => p + 0.1 * values.normal()),
          referenceLogprobs: now[i].map((p) => p + 0.3 * values.normal()),
        };
      });
    const supervised: Datum[] = bare.map((row) => ({ ...row, weights: row.completion.map(() => 0.05) }));
    const largest = (rows: readonly (readonly number[])[]): number => Math.max(...rows.flat().map(Math.abs));
    const differences = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] => a.map((row, i) => row.map((v, t) => v - b[i][t]));
    async function step(engine: Engine): Promise<number> {
      await engine.forwardBackward(supervised, { kind: "cross_entropy" });
      return (await engine.optimStep({ ...adamW, eps: 1e-8, learningRate: 1e-2 })).gradNorm;
    }

    it.each(["exact", "fused"] as const)("makes the update that the local engine makes of the same weights, rollouts and advantages: %s", async (loss) => {
      const saved = (engine: Engine): Promise<LoraAdapter> => {
        const dir = tiny.tempDir();
        return engine.save(dir, "weights").then(() => readAdapter(dir));
      };
      const remote = await open({ loss });
      const start = await saved(remote);
      // The same adapter for the same decoder, by the name that it has within the vision-language model.
      const adapter = tiny.tempDir();
      const modules = new Map([...start.modules].map(([name, value]) => [name.replace("model.layers", "model.language_model.layers"), value]));
      writeAdapter(adapter, { ...start, modules });
      const local = await createLocalEngine({ model: tiny.folder, adapter, trainable: "lora", workers: 0, threads: 1 });
      const before = await local.forward(bare);
      expect(largest(differences(await remote.forward(bare), before))).toBeLessThan(1e-4);
      // In one pass the KL term is exact where the sampling policy is the current one.
      const data = rolloutsOf(before).map((datum, i) => (loss === "fused" ? { ...datum, logprobs: before[i] } : datum));
      const results: number[][] = [];
      const after: number[][][] = [];
      const adapters: LoraAdapter[] = [];
      for (const engine of [local, remote]) {
        const { loss: value, kl, clipFraction } = await engine.forwardBackward(data, policy);
        const { gradNorm } = await engine.optimStep(adamW);
        results.push([value, kl, clipFraction, gradNorm]);
        after.push(await engine.forward(bare));
        adapters.push(await saved(engine));
        await engine.close();
      }
      results[0].forEach((value, k) => expect(results[1][k]).toBeCloseTo(value, 3));
      // Of what the update moves, at most a thousandth apart: in log-probabilities and in the weights themselves.
      const moved = largest(differences(after[0], before));
      expect(moved).toBeGreaterThan(0.05);
      expect(largest(differences(after[0], after[1]))).toBeLessThan(1e-3 * moved);
      for (const [name, { b }] of adapters[1].modules) {
        const ours = adapters[0].modules.get(name.replace("model.layers", "model.language_model.layers"))?.b.data ?? new Float32Array();
        const size = largest([Array.from(ours)]);
        expect(size).toBeGreaterThan(0);
        expect(largest([Array.from(b.data, (v, i) => v - ours[i])])).toBeLessThan(1e-3 * size);
      }
    });

    it("applies a request once, though its connection is cut before or after it arrived", async () => {
      const run = async (baseUrl: string, cut: (n: number) => void): Promise<unknown[]> => {
        const engine = await open({ baseUrl });
        const values: unknown[] = [];
        for (let n = 0; n < 3; n++) {
          cut(n);
          values.push(await step(engine));
        }
        values.push(await engine.forward(bare));
        await engine.close();
        return values;
      };
      const straight = await run(url(), () => undefined);
      const proxy = await CuttingProxy.to(url());
      const [backward, optim] = ["/api/v1/forward_backward", "/api/v1/optim_step"];
      const cuts = [() => proxy.cutNext(backward, "after"), () => proxy.cutNext(optim, "after"), () => [backward, optim].forEach((path) => proxy.cutNext(path, "before"))];
      // The engine was opened, and the server measured, through the proxy before the first cut.
      expect(await run(proxy.url, (n) => cuts[n]())).toEqual(straight);
      expect(proxy.cut).toEqual([`${backward} after`, `${optim} after`, `${backward} before`, `${optim} before`]);
      proxy.close();
    }, 600_000);

    it("asks another server for the frozen start policy where one is named", async () => {
      const other = await CuttingProxy.to(url());
      const engine = await open({ referenceUrl: other.url });
      const before = await engine.forward(bare);
      await step(engine);
      // Only a request that goes there can be cut there.
      other.cutNext("/api/v1/create_model", "before");
      const reference = await engine.forward(bare, { weights: "reference" });
      expect(other.cut).toEqual(["/api/v1/create_model before"]);
      expect(largest(differences(reference, before))).toBeLessThan(1e-4);
      expect(largest(differences(await engine.forward(bare), before))).toBeGreaterThan(1e-3);
      await engine.close();
      other.close();
      await expect(open({ referenceUrl: "http://127.0.0.1:1", patienceSeconds: 1 })).rejects.toThrow(/engine.tinker.referenceUrl http:\/\/127.0.0.1:1.*ECONNREFUSED/);
    });

    it("decodes in the official SDK what we encode", () => {
      const [first, second]: WireDatum[] = [
        {
          chunks: [{ kind: "text", tokens: [1, 151_645] }, { kind: "image", data: Buffer.from([9, 8]), format: "jpeg", expectedTokens: 4 }],
          inputs: { target_tokens: { dtype: "int64", data: [5, 6] }, weights: { dtype: "float32", data: [0, -0.5] } },
        },
        { chunks: [], inputs: {} },
      ];
      const request: PassRequest = {
        modelId: "model_1", seqId: 7, forwardOnly: false, lossName: "ppo", lossConfig: { clip_low_threshold: 0.75, clip_high_threshold: 1.5 }, data: [first, second],
      };
      const file = join(folder, "request.bin");
      writeFileSync(file, encodePass(request));
      const { stdout, stderr, status } = spawnSync(python, [script, file], { encoding: "utf8" });
      expect(stderr, stderr).not.toMatch(/Error/);
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toEqual({
        ...request,
        lossConfigV2: request.lossConfig,
        data: [
          {
            chunks: [first.chunks[0], { kind: "image", data: Buffer.from([9, 8]).toString("base64"), format: "jpeg", expectedTokens: 4 }],
            inputs: { target_tokens: { ...first.inputs.target_tokens, shape: [2] }, weights: { ...first.inputs.weights, shape: [2] } },
          },
          second,
        ],
      });
    });

    it("takes requests with images, and is found out where it leaves them aside", async () => {
      const source = join(folder, "image.webp");
      await sharp({ create: { width: 16, height: 16, channels: 3, background: "#808080" } }).webp().toFile(source);
      const token = 270;
      const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8")) as object;
      const withImages = tiny.tempDir();
      writeFileSync(join(withImages, "config.json"), JSON.stringify({ ...config, image_token_id: token }));
      const image = { source, grid: { t: 1, h: 4, w: 4 }, patches: new Float32Array(), tokenCount: 4 };
      const prompt: Prompt = { tokens: [1, token, token, token, token, 2], images: [image] };
      const engine = await open({ model: withImages });
      expect(engine.capabilities.images).toBe(true);
      // The JAX backend validates the image chunk (another format is a 422) and then reads the text chunks only.
      await expect(engine.forward([{ prompt, completion: [3] }])).rejects.toThrow(/6 positions, the answer 2: this server does not take images/);
      await expect(engine.sample([{ prompt, seeds: [1] }], { maxTokens: 2, temperature: 1 })).rejects.toThrow(/does not take images/);
      await engine.close();
    });

    it("goes on after the server was killed where nothing is lost with it, and else from the last saved state", async () => {
      const engine = await open();
      await step(engine);
      const dir = tiny.tempDir();
      await engine.save(dir, "state");
      const saved = await engine.forward(bare);
      await restart();
      // Everything that was done had been saved: the model is made again.
      expect(await engine.forward(bare)).toEqual(saved);
      await step(engine);
      const later = await engine.forward(bare);
      await restart();
      const error = await engine.forward(bare).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(UserError);
      expect((error as Error).message).toMatch(/lost the model.*--resume.*1 update since the last saved state/);
      await engine.close();

      const next = await open();
      await next.load(dir);
      expect(await next.forward(bare)).toEqual(saved);
      await step(next);
      expect(await next.forward(bare)).toEqual(later);
      await next.close();
    }, 600_000);

    it("says what is wrong with a configuration", async () => {
      await expect(open({ baseModel: "other" })).rejects.toThrow(/other is not served; the server has .*model/);
      await expect(open({ loraRank: 0 })).rejects.toThrow(/engine.trainable to lora/);
      await expect(open({ loraRank: 99 })).rejects.toThrow(/rank 99/);
      await expect(open({ baseUrl: "localhost:8000" })).rejects.toThrow(/give the server's address/);
      await expect(open({ baseUrl: "http://user:secret@localhost:8000" })).rejects.toThrow(/without user and password/);
      await expect(open({ baseUrl: "http://127.0.0.1:1", patienceSeconds: 1 })).rejects.toThrow(/ECONNREFUSED/);
    });
  });
}
