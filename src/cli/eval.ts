import { Command, InvalidArgumentError } from "commander";
import type { EvaluationFile } from "../evaluation/file.js";
import { evalAnswersCommand } from "./eval-answers.js";
import { evalReasoningCommand } from "./eval-reasoning.js";

interface EvalFlags {
  readonly data?: string;
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
  return (
    new Command("eval")
      .description("Measure a run's model or a model folder on held-out questions: accuracy and reasoning, with 95% bootstrap intervals.")
      .argument("<path>", 'run folder, Hugging Face folder, or "start" for the shipped start policy')
      .option("--data <dir>", "data set: folder or JSON file")
      .option("--split <name>", "split of the data set", "test")
      .option("--questions <n>", "the first n questions; 0 takes all", wholeNumber, 0)
      .option("--temperature <t>", "sampling temperature; 0 is greedy", notNegative, 0)
      .option("--samples <n>", "completions of each question", positive, 1)
      .option("--max-tokens <n>", "longest completion, tokens (default: the run's own, 512 for a model)", positive)
      .option("--seed <n>", "seed of the sampling", wholeNumber, 0)
      .option("--batch <n>", "questions sampled at once", positive, 64)
      .option("--json <file>", "write the result there too")
      // Options of the same name before and behind a subcommand's name are told apart by their place.
      .enablePositionalOptions()
      .addCommand(evalAnswersCommand())
      .addCommand(evalReasoningCommand())
      .action(evaluateModel)
  );
}

async function evaluateModel(path: string, flags: EvalFlags): Promise<void> {
  const [{ runEvaluation }, { evaluationTable, kindTable }, { terminalTable }, { UserError }, { listenForStop }] = await Promise.all([
    import("../evaluation/run-eval.js"),
    import("../report/compare-table.js"),
    import("../report/tables.js"),
    import("../util/errors.js"),
    import("./stop-signal.js"),
  ]);
  const { samples, data, ...options } = flags;
  if (data === undefined) throw new UserError("--data: name the data set to evaluate on (files of completions go to: breakwater eval answers FILE, breakwater eval reasoning FILE)");
  const live = process.stderr.isTTY;
  const stop = listenForStop("stopped; nothing was written");
  const show = ({ name, summary, kinds, speed, settings }: EvaluationFile, tooLong: number): void => {
    const how = settings.temperature === 0 ? "greedily" : `at temperature ${settings.temperature}`;
    const rate = speed.tokensPerSecond.value;
    process.stdout.write(
      `${name}: ${summary.chains} chains of ${summary.questions} questions, sampled ${how}` +
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
    process.stdout.write(`\nAnswers: ${settings.answerScorer}; steps: ${settings.judge ?? "no judge"}.\n`);
  };
  const { files } = await runEvaluation(path, {
    ...{ ...options, data, samplesPerQuestion: samples, signal: stop.signal, onResult: show },
    onProgress: (done, total) => {
      if (live) process.stderr.write(`\r${done} of ${total} questions${done === total ? "\n" : ""}`);
    },
  }).finally(stop.close);
  process.stdout.write(`wrote ${files.join(", ")}\n`);
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
