import { Command, InvalidArgumentError, Option } from "commander";

/** `breakwater phantom`: writes the embedded task's data set. */
export function phantomCommand(): Command {
  return new Command("phantom")
    .description("Write a phantom data set: medical-like images of known content, questions, answers and gold reasoning.")
    .requiredOption("--out <dir>", "folder to write; the same data set already there is kept")
    .option("--train <n>", "training examples", wholeNumber, 2048)
    .option("--test <n>", "held-out examples; no combination of facts occurs in both", wholeNumber, 512)
    .option("--seed <n>", "seed of everything that is drawn", wholeNumber, 1)
    .option("--size <pixels>", "pixels a side", wholeNumber, 64)
    .addOption(new Option("--difficulty <level>", "noise and contrast").choices(["easy", "normal", "hard"]).default("normal"))
    .option("--text", "the findings in words before the question and no pictures, for models that take text only", false)
    .action(async ({ out, ...options }: { out: string; train: number; test: number; seed: number; size: number; difficulty: "easy" | "normal" | "hard"; text: boolean }) => {
      const { writePhantomDataset } = await import("../datasets/phantom/write.js");
      const started = performance.now();
      const result = await writePhantomDataset(out, options);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const { train, test } = result.options;
      process.stdout.write(
        result.written
          ? `wrote ${train} training and ${test} held-out examples to ${result.dir} in ${seconds} s\n`
          : `${result.dir} already holds this data set (${train} training, ${test} held-out examples)\n`,
      );
    });
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}
