import { Command, InvalidArgumentError } from "commander";

interface EvalFlags {
  readonly data: string;
  readonly split: string;
  readonly temperature: number;
  readonly questions: number;
  readonly samples: number;
  readonly seed: number;
  readonly batch: number;
  readonly maxTokens?: number;
  readonly json?: string;
}

export function evalCommand(): Command {
  return new Command("eval")
    .description("Measure a run's model or a model folder on held-out questions: accuracy and reasoning, with 95% bootstrap intervals.")
    .argument("<path>", 'run folder, Hugging Face folder, or "start" for the shipped start policy')
    .requiredOption("--data <dir>", "data set: folder or JSON file")
    .option("--split <name>", "split of the data set", "test")
    .option("--questions <n>", "the first n questions; 0 takes all", wholeNumber, 0)
    .option("--temperature <t>", "sampling temperature; 0 is greedy", notNegative, 0)
    .option("--samples <n>", "completions of each question", positive, 1)
    .option("--max-tokens <n>", "longest completion, tokens (default: the run's own, 512 for a model)", positive)
    .option("--seed <n>", "seed of the sampling", wholeNumber, 0)
    .option("--batch <n>", "questions sampled at once", positive, 64)
    .option("--json <file>", "write the result there too")
    .action(async (path: string, flags: EvalFlags) => {
      const [{ runEvaluation }, { evaluationTable, kindTable }, { terminalTable }] = await Promise.all([
        import("../evaluation/run-eval.js"),
        import("../report/compare-table.js"),
        import("../report/tables.js"),
      ]);
      const { samples, ...options } = flags;
      const live = process.stderr.isTTY;
      const abort = new AbortController();
      const stop = () => abort.abort(new Error("stopped; nothing was written"));
      process.once("SIGINT", stop);
      const { evaluation, files, tooLong } = await runEvaluation(path, {
        ...options,
        samplesPerQuestion: samples,
        signal: abort.signal,
        onProgress: (done, total) => {
          if (live) process.stderr.write(`\r${done} of ${total} questions${done === total ? "\n" : ""}`);
        },
      }).finally(() => process.off("SIGINT", stop));
      const { summary, kinds, speed, settings } = evaluation;
      const how = settings.temperature === 0 ? "greedily" : `at temperature ${settings.temperature}`;
      const rate = speed.tokensPerSecond.value;
      process.stdout.write(
        `${evaluation.name}: ${summary.chains} chains of ${summary.questions} questions, sampled ${how}` +
          `${rate === null ? "" : `, ${Math.round(rate)} tokens/s`}\n\n${terminalTable(evaluationTable(summary))}\n`,
      );
      if (Object.keys(kinds).length > 0) process.stdout.write(`\n${terminalTable(kindTable(kinds))}\n`);
      const left = [
        summary.unscoredAnswers > 0 ? `${summary.unscoredAnswers} answers could not be scored` : "",
        summary.unjudgedChains > 0 ? `${summary.unjudgedChains} chains could not be judged` : "",
        tooLong > 0 ? `${tooLong} questions do not fit the model` : "",
      ].filter((part) => part !== "");
      if (left.length > 0) process.stdout.write(`\nLeft out: ${left.join("; ")}.\n`);
      for (const [reason, n] of Object.entries(summary.reasons)) process.stdout.write(`  ${n} × ${reason}\n`);
      process.stdout.write(`\nAnswers: ${settings.answerScorer}; steps: ${settings.judge ?? "no judge"}.\nwrote ${files.join(", ")}\n`);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

function positive(text: string): number {
  const n = wholeNumber(text);
  if (n < 1) throw new InvalidArgumentError("Give a whole number above 0.");
  return n;
}

function notNegative(text: string): number {
  const n = Number(text);
  if (text.trim() === "" || !Number.isFinite(n) || n < 0) throw new InvalidArgumentError("Give a number of 0 or more.");
  return n;
}
