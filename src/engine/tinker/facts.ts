/** What the engine must know of the model that it does not hold: from the Hugging Face folder that tokenises for it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { endTokenIds } from "../../checkpoints/hf-folder.js";
import { UserError } from "../../util/errors.js";
import { isRecord, readJsonObject, type JsonObject } from "../../util/json-file.js";

export interface ModelFacts {
  readonly vocabularySize: number;
  readonly maxPositions: number | null;
  readonly endTokens: readonly number[];
  readonly imageToken: number | null;
}

export function readModelFacts(folder: string): ModelFacts {
  const path = join(folder, "config.json");
  const wayOut = "Name the Hugging Face folder (config and tokenizer are enough) of the model that the server trains.";
  const config = readJsonObject(path, wayOut);
  const text: JsonObject = isRecord(config.text_config) ? config.text_config : isRecord(config.llm_config) ? config.llm_config : config;
  const vocabularySize = number(text.vocab_size) ?? number(config.vocab_size);
  if (vocabularySize === null) throw new UserError(`${path} has no vocab_size. ${wayOut}`);
  const generationPath = join(folder, "generation_config.json");
  const generation: JsonObject = existsSync(generationPath) ? readJsonObject(generationPath, wayOut) : {};
  return {
    vocabularySize,
    maxPositions: number(text.max_position_embeddings),
    endTokens: endTokenIds(generation, config, text),
    imageToken: number(config.image_token_id),
  };
}

const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
