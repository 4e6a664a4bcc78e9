import type { Engine } from "../engine/engine.js";
import { UserError } from "../util/errors.js";
import type { TrainConfig } from "./schema.js";

/** Opens the configured engine for the model in `folder`; engines are loaded on demand, as they bring native parts. */
export async function createEngine({ engine, seed }: TrainConfig, folder: string): Promise<Engine> {
  const { kind, trainable, lora, ...local } = engine;
  switch (kind) {
    case "local": {
      const { createLocalEngine } = await import("../engine/local/index.js");
      return createLocalEngine({ ...local, model: folder, trainable, lora: trainable === "lora" ? lora : undefined, seed });
    }
    case "tinker":
      throw new UserError("engine.kind: tinker is not part of this version; take local");
  }
}
