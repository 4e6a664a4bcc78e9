import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { maxTokensOf, type Target } from "../evaluation/target.js";
import { checkImages } from "../training/check-images.js";
import { createEngine } from "../training/create-engine.js";
import { createCodec, modelFolder } from "../training/create-parts.js";
import type { Codec } from "../training/parts.js";
import type { Prompt } from "../types.js";
import type { Question } from "./data.js";
import type { GenerationParams, Generator, Outcome, Task } from "./generator.js";

/** Questions decoded together. */
const BATCH = 32;

export interface LocalGeneratorOptions extends GenerationParams {
  readonly samples: number;
  /** Sampling ends at one of these texts. */
  readonly stop: readonly string[];
  /** Questions of one unit. */
  readonly batch?: number;
}

/** A model of this machine's engine; `questions` are looked through first, so that an unreadable image is known early. */
export async function openLocalGenerator(target: Target, questions: readonly Question[], options: Omit<LocalGeneratorOptions, "stop">): Promise<Generator> {
  const folder = modelFolder(target.model);
  const base = target.config;
  const config = { ...base, model: target.model, engine: { ...base.engine, trainable: target.state === null ? ("full" as const) : base.engine.trainable } };
  const codec = createCodec(config, folder);
  await checkImages(codec, questions.map(({ example }) => example), "--data");
  const engine = await createEngine(config, folder);
  try {
    if (target.state !== null) await engine.load(target.state);
    const maxTokens = maxTokensOf(target, engine.capabilities.maxSequenceTokens, options.maxTokens);
    return localGenerator(engine, codec, { ...options, maxTokens, stop: base.sampling.stop });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Samples through an opened engine, which it closes; a prompt that leaves no room for the completion fails its tasks. */
export function localGenerator(engine: Engine, codec: Codec, options: LocalGeneratorOptions & { readonly maxTokens: number }): Generator {
  const { temperature, topP, maxTokens, stop, samples, batch = BATCH } = options;
  const longest = engine.capabilities.maxSequenceTokens;
  return {
    unit: batch * samples,
    concurrency: 1,
    retriesFailures: false,
    generate: async (tasks, signal) => {
      const byQuestion = groupBy(tasks);
      const outcomes = new Map<Task, Outcome>();
      const requests: { readonly prompt: Prompt; readonly tasks: readonly Task[] }[] = [];
      for (const [{ example }, own] of byQuestion) {
        const prompt = await codec.prompt(example);
        if (prompt.tokens.length + maxTokens <= longest) requests.push({ prompt, tasks: own });
        else {
          const reason = `the prompt's ${prompt.tokens.length} tokens and ${maxTokens} new ones exceed the model's ${longest}`;
          for (const task of own) outcomes.set(task, { status: "failed", reason });
        }
      }
      const asked = requests.map(({ prompt, tasks: own }) => ({ prompt, seeds: own.map(({ seed }) => seed) }));
      const sequences = asked.length === 0 ? [] : await engine.sample(asked, { maxTokens, temperature, topP, stop }, signal);
      requests.forEach(({ tasks: own }, p) =>
        own.forEach((task, g) => {
          const { tokens, stopReason } = sequences[p][g];
          outcomes.set(task, { status: "done", text: codec.decode(tokens).text, tokens: tokens.length, truncated: stopReason === "length" });
        }),
      );
      return tasks.map((task) => outcomes.get(task) ?? { status: "failed", reason: "the engine gave no completion" });
    },
    close: () => engine.close(),
  };
}

function groupBy(tasks: readonly Task[]): Map<Question, Task[]> {
  const groups = new Map<Question, Task[]>();
  for (const task of tasks) groups.set(task.question, [...(groups.get(task.question) ?? []), task]);
  return groups;
}

/** Names the weights in the folders by their files' sizes: enough to see that another model lies there now. */
export function weightsMark(folder: string, state: string | null): string {
  const filesOf = (dir: string): string[] =>
    readdirSync(dir)
      .filter((name) => /\.(safetensors|bin|json)$/.test(name))
      .sort()
      .map((name) => `${name} ${statSync(join(dir, name)).size}`);
  // The folder's own name tells one checkpoint of a run from the next.
  const place = (dir: string): string => `${basename(dirname(dir))}/${basename(dir)}`;
  return createHash("sha256")
    .update([folder, ...(state === null ? [] : [state])].map((dir) => `${place(dir)}: ${filesOf(dir).join(", ")}`).join("\n"))
    .digest("hex")
    .slice(0, 16);
}
