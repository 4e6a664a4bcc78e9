import { Command } from "commander";
import type { Llm } from "../llm/types.js";
import { judgeOptionsOf, withJudgeOptions, type JudgeFlags } from "./judge-options.js";
import { outliveReader } from "./pipe.js";

type AnswersFlags = JudgeFlags & { readonly out?: string; readonly name?: string };

/** `breakwater eval answers`: who answered rightly, by a judge where one is named, and by word overlap in any case. */
export function evalAnswersCommand(): Command {
  const command = new Command("answers");
  return withJudgeOptions(command)
    .description("Evaluate the answers in inference files: exact match and word overlap, and with --judge-model correct / incorrect by a language model.")
    .argument("<files...>", "inference files of one system, of breakwater infer or of the reference's inference.py (NAME=FILE names the data set); or results of its Answer_Evaluation.py, whose verdicts are taken")
    .option("--out <file>", "result file (default: <first file>-answers.json)")
    .option("--name <name>", "the system's name in comparisons (default: the first file's)")
    .addHelpText("after", "\nWithout --judge-model and --judge-url no judge is asked. Judged replies are kept in --judge-cache (default: beside --out):\ninterrupted, run the same command again.")
    .action(async (files: string[], flags: AnswersFlags) => evaluateAnswers(files, flags, command.getOptionValueSource("judgeUrl") !== "default"));
}

async function evaluateAnswers(files: readonly string[], flags: AnswersFlags, urlGiven: boolean): Promise<void> {
  outliveReader();
  const [answers, { readJudgedAnswers, writeAnswersFile }, { estimateKinds, estimateSystem }, { datasetsTable, kindsOfQuestionTable }, { terminalTable }, { withoutEnding, stemOf }, { namedPath }, { listenForStop }, { judgingLine }] = await Promise.all([
    import("../evaluation/answers.js"),
    import("../evaluation/answers-file.js"),
    import("../evaluation/estimates.js"),
    import("../report/result-tables.js"),
    import("../report/tables.js"),
    import("../inference/record.js"),
    import("../inference/data.js"),
    import("./stop-signal.js"),
    import("./judging-line.js"),
  ]);
  const already = readJudgedAnswers(files);
  const rows = already === null ? answers.readAnswers(files) : already.rows;
  const first = namedPath(files[0]).path;
  const out = flags.out ?? `${withoutEnding(first)}-answers.json`;
  const judged = already === null && (urlGiven || (flags.judgeModel?.length ?? 0) > 0);
  const llm = judged ? await openLlm(flags, out) : null;
  const line = judgingLine(process.stderr, () => llm?.account());
  const stop = listenForStop("stopped; what was judged is in the cache: run the same command again to go on");
  try {
    const options = { sendImage: flags.judgeImage, maxTokens: flags.judgeMaxTokens, signal: stop.signal, onProgress: llm === null ? undefined : line.progress };
    const verdicts = already?.rows ?? (await answers.judgeAnswers(rows, llm, options));
    line.close();
    const measured = answers.measureAnswers(verdicts);
    const estimates = estimateSystem(measured);
    const counts = answers.countVerdicts(verdicts);
    const keys = ["judgedAccuracy", "accuracy", "rouge1", "bleu1", "answerReward", "missingAnswer"] as const;
    process.stdout.write(`${terminalTable(datasetsTable(estimates, keys))}\n`);
    const kinds = estimateKinds(measured);
    if (kinds !== null) process.stdout.write(`\n${terminalTable(kindsOfQuestionTable(kinds, keys.slice(0, 2)))}\n`);
    process.stdout.write("\nBrackets: 95% bootstrap intervals over questions. Exact match: equal after normalisation, numbers by value.\n");
    const judge = llm?.model ?? already?.judge ?? null;
    if (judge === null) process.stdout.write("No judge was asked (--judge-model): these are exact match and word overlap, not the paper's accuracy.\n");
    else {
      const scored = counts.correct + counts.incorrect;
      process.stdout.write(`Judge ${judge}${llm === null ? " (as the file tells)" : ""}: ${counts.correct} correct, ${counts.incorrect} incorrect, ${counts.none} without an answer (wrong), ${counts.unjudged} unjudged (in no mean).\n`);
      if (counts.none > 0 && scored > 0) process.stdout.write(`As the reference counts, without missing answers: ${counts.correct}/${scored} = ${((100 * counts.correct) / scored).toFixed(2)}%.\n`);
    }
    if (counts.failed > 0) process.stdout.write(`${counts.failed} rows have no completion (failed inference): in no figure. breakwater infer asks them again.\n`);
    for (const [reason, n] of Object.entries(answers.unjudgedReasons(verdicts))) process.stdout.write(`  ${n} × ${reason}\n`);
    // A judged file is summarised; written anew only where a name for it was asked for.
    if (already !== null && flags.out === undefined) return;
    writeAnswersFile(out, { name: flags.name ?? stemOf(first), judge, rows: verdicts }, files, estimates);
    process.stdout.write(`wrote ${out}\n`);
  } finally {
    line.close();
    stop.close();
    await llm?.close();
  }
}

async function openLlm(flags: AnswersFlags, out: string): Promise<Llm> {
  const [{ createLlm }, { Budget, parseBudget }, { UserError }] = await Promise.all([import("../llm/client.js"), import("../llm/budget.js"), import("../util/errors.js")]);
  const { models, budget, priceIn, priceOut, cache, ...options } = judgeOptionsOf(flags);
  if (models.length !== 1) throw new UserError(`--judge-model: answers are judged by one model, not by ${models.length} (${models.join(", ")})`);
  return createLlm({
    ...options,
    model: models[0],
    cache: cache ?? `${out}.judge-cache.db`,
    budget: budget === undefined ? undefined : new Budget(parseBudget(budget)),
    prices: priceIn === undefined && priceOut === undefined ? undefined : { input: priceIn ?? 0, output: priceOut ?? 0 },
    onNotice: (text) => process.stderr.write(`breakwater: ${text}\n`),
  });
}
