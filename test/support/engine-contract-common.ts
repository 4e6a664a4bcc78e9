/** What the parts of the engine contract share. */
import type { AdamWParams, Engine } from "../../src/engine/engine.js";
import type { Datum, Prompt } from "../../src/types.js";
import { RandomStream, seedFrom } from "../../src/util/random.js";

export interface EngineHelpers {
  /** At least four prompts of different lengths; one without an image, where the engine takes images some with. */
  readonly prompts: readonly Prompt[];
  /** Ids of plain text are those below. */
  readonly textTokens: number;
  readonly decode: (tokens: readonly number[]) => string;
  /** A new empty folder. */
  readonly tempDir: () => string;
  /** Engines from the same start weights that share the work out in other ways; each must give the same bits. */
  readonly alternatives?: readonly { readonly name: string; readonly make: () => Promise<Engine> }[];
}

export type MakeEngine = () => Promise<Engine>;

export interface Contract {
  readonly make: MakeEngine;
  readonly helpers: EngineHelpers;
}

export const adamW: AdamWParams = { learningRate: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** Opens an engine for one test and closes it. */
export async function using<T>(make: MakeEngine, body: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await make();
  try {
    return await body(engine);
  } finally {
    await engine.close();
  }
}

/** Completions of lengths 3, 4, … cycling over the prompts; weights make the mean over all tokens. */
export function exampleData({ prompts, textTokens }: EngineHelpers, count = 6): Datum[] {
  const lengths = Array.from({ length: count }, (_, i) => 3 + ((2 * i) % 7));
  const total = lengths.reduce((a, b) => a + b, 0);
  return lengths.map((length, i) => {
    const random = new RandomStream(seedFrom("completion", i));
    const completion = Array.from({ length }, () => random.int(textTokens));
    return { prompt: prompts[i % prompts.length], completion, weights: completion.map(() => 1 / total) };
  });
}

export const maxDifference = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number =>
  Math.max(...a.flatMap((row, i) => row.map((v, t) => Math.abs(v - b[i][t]))));
