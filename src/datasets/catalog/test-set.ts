/** Writes a test set in the reference's form and in ours. */
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { ExampleWriter } from "../jsonl-format.js";
import type { PrepareContext } from "./obtain.js";
import { pyJson } from "./python-text.js";

export interface TestQuestion {
  /** Absolute. */
  readonly image: string;
  readonly question: string;
  readonly answer: string;
  readonly kind?: string;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** `Data_Preprocessed/<name>_test.json` and `examples/<name>.jsonl`. */
export function writeTestSet({ paths }: PrepareContext, name: string, questions: readonly TestQuestion[]): void {
  writeFileAtomic(join(paths.processed, `${name}_test.json`), pyJson(questions.map(({ image, question, answer }) => ({ image: resolve(image), problem: question, solution: answer }))));
  const writer = new ExampleWriter(join(paths.examples, `${name}.jsonl`));
  try {
    questions.forEach(({ image, question, answer, kind, meta }, index) =>
      writer.write({ id: `${name}-${index}`, image, question, answer, ...(kind ? { kind } : {}), dataset: name, split: "test", ...(meta ? { meta: { ...meta } } : {}) }),
    );
  } catch (error) {
    writer.discard();
    throw error;
  }
  writer.close();
}
