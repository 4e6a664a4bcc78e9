/** The engine contract on the tinker engine, against SkyRL's own server. Skipped where Python has no such server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { createTinkerEngine, type TinkerEngineOptions } from "../src/engine/tinker/index.js";
import { describeEngine } from "./support/engine-contract.js";
import { skipMessage, skyrlPython, SkyrlServer, writeTextCheckpoint } from "./support/skyrl-server.js";
import { createTinyModel } from "./support/tiny-model.js";

const python = skyrlPython();

if (python === null) {
  it.skip(skipMessage, () => undefined);
} else {
  const tiny = createTinyModel();
  const folder = mkdtempSync(join(tmpdir(), "breakwater-skyrl-"));
  let server: SkyrlServer;
  beforeAll(async () => {
    writeTextCheckpoint(python, tiny.folder, join(folder, "model"));
    server = await SkyrlServer.start({ python, model: join(folder, "model"), folder, quickCompile: true });
    // The first passes compile; on a machine with other work that takes minutes.
    await (await open()).close();
  }, 600_000);
  afterAll(async () => {
    await server.kill();
    tiny.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = (options: Partial<TinkerEngineOptions> = {}) =>
    createTinkerEngine({ baseUrl: server.url, model: join(folder, "model"), loraRank: 4, seed: 1, patienceSeconds: 30, ...options });

  const text = (value: string) => ({ tokens: tiny.tokenizer.encode(value), images: [] });
  describe("SkyRL on JAX", () => {
    describeEngine("tinker", open, {
      prompts: ["What is in the lung?", "See the scan: what is it?", "Where is the lesion in this scan?", "A nodule"].map(text),
      textTokens: 250,
      decode: (tokens) => tiny.tokenizer.decode(tokens),
      tempDir: tiny.tempDir,
    });
  });
}
