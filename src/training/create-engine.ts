import type { Engine } from "../engine/engine.js";
import { UserError } from "../util/errors.js";
import type { TrainConfig } from "./schema.js";

/**
 * Opens the configured engine for the model in `folder`; engines are loaded on demand, as they bring native parts.
 * @param log told what a remote engine meets: servers that are busy, and what they do not do.
 */
export async function createEngine({ engine, seed }: TrainConfig, folder: string, log?: (line: string) => void): Promise<Engine> {
  const { kind, trainable, lora, baseUrl, baseModel, tinker, ...local } = engine;
  switch (kind) {
    case "local": {
      const { createLocalEngine } = await import("../engine/local/index.js");
      return createLocalEngine({ ...local, model: folder, trainable, lora: trainable === "lora" ? lora : undefined, seed });
    }
    case "tinker": {
      if (baseUrl === undefined) throw new UserError("engine.baseUrl: where is the Tinker server? Name it, like http://localhost:8000");
      const { createTinkerEngine } = await import("../engine/tinker/index.js");
      const loraRank = trainable === "lora" ? lora.rank : 0;
      return createTinkerEngine({ ...tinker, baseUrl, baseModel, model: folder, loraRank, seed, apiKey: process.env.TINKER_API_KEY, log });
    }
  }
}
