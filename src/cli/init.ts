import { Command, InvalidArgumentError, Option } from "commander";

interface InitOptions {
  readonly out: string;
  readonly data: string;
  readonly split: string;
  readonly size: "phantom" | "1M" | "6M";
  readonly vocabulary: number;
  readonly maxPixels: number;
  readonly minPixels: number;
  readonly seed: number;
}

/** `breakwater init`: a new small model for a data set. */
export function initCommand(): Command {
  return new Command("init")
    .description("Make a small Qwen3-VL with random weights and a tokenizer trained on a data set's texts (a Hugging Face folder).")
    .requiredOption("--out <dir>", "folder to write; must not exist or be empty")
    .requiredOption("--data <dir>", "data set whose questions, answers and reasoning the tokenizer learns")
    .option("--split <name>", "split of the data set", "train")
    .addOption(new Option("--size <name>", "size of the model").choices(["phantom", "1M", "6M"]).default("1M"))
    .option("--vocabulary <n>", "largest vocabulary, the 256 bytes included", wholeNumber, 2048)
    .option("--min-pixels <n>", "images are enlarged to at least this many pixels", wholeNumber, 64 * 64)
    .option("--max-pixels <n>", "images are reduced to at most this many pixels", wholeNumber, 128 * 128)
    .option("--seed <n>", "seed of the random weights", wholeNumber, 0)
    .action(async (options: InitOptions) => {
      const { existsSync, readdirSync, renameSync, rmSync } = await import("node:fs");
      const { UserError } = await import("../util/errors.js");
      const { loadDataset } = await import("../datasets/dataset.js");
      const { createSmallModel } = await import("../training/small-model.js");
      const { modelSizes } = await import("../engine/local/create-model.js");
      const { out, data, split, size, seed, vocabulary, minPixels, maxPixels } = options;
      if (existsSync(out) && readdirSync(out).length > 0) throw new UserError(`--out: ${out} is not empty; name a new folder`);
      const { examples } = loadDataset(data, { split });
      const texts = examples.flatMap(({ question, answer, goldReasoning }) => [
        question,
        `<think>${goldReasoning ?? ""}</think><answer>${answer}</answer>`,
        `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`,
      ]);
      // Whole or not at all: a half-made folder would only be in the way of the next try.
      const temporary = `${out.replace(/[/\\]+$/, "")}.tmp-${process.pid}`;
      try {
        const made = createSmallModel(temporary, { size: modelSizes[size], texts, vocabulary, minPixels, maxPixels, seed });
        if (existsSync(out)) rmSync(out, { recursive: true });
        renameSync(temporary, out);
        process.stdout.write(`wrote ${out}: Qwen3-VL of size ${size}, vocabulary ${made.vocabulary} learned from ${examples.length} examples\n`);
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
    });
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}
