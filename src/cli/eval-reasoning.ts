import { Command, Option } from "commander";
import type { ReasoningRow, ReasoningTasks } from "../evaluation/reasoning.js";
import type { Judge } from "../judges/judge.js";
import { judgeOptionsOf, withJudgeOptions, type JudgeFlags } from "./judge-options.js";
import { outliveReader } from "./pipe.js";

type ReasoningFlags = JudgeFlags & {
  readonly gold?: readonly string[];
  readonly split: string;
  readonly judge: "llm" | "phantom" | "recorded";
  readonly labels?: string;
  readonly out?: string;
  readonly name?: string;
};

/** `breakwater eval reasoning`: each sentence against the gold reasoning, and where chains fail. */
export function evalReasoningCommand(): Command {
  return withJudgeOptions(new Command("reasoning"))
    .description("Evaluate the reasoning in inference files: every sentence's alignment and contribution by a judge, and where chains first fail.")
    .argument("<files...>", "inference files of one system (NAME=FILE names the data set); or results of the reference's Reasoning_Evaluation.py, whose marks are taken")
    .option("--gold <paths...>", "gold reasoning: data sets, or files [{image_path, question, answer, solution}]")
    .option("--split <name>", "split of gold folders", "test")
    .addOption(new Option("--judge <kind>", "who judges: a language model, the phantom's exact truth, or recorded labels").choices(["llm", "phantom", "recorded"]).default("llm"))
    .option("--labels <file>", "recorded labels: JSON Lines (docs/method.md)")
    .option("--out <file>", "result file (default: <first file>-reasoning.json)")
    .option("--name <name>", "the system's name in comparisons (default: the first file's)")
    .addHelpText("after", "\nJudged replies are kept in --judge-cache (default: beside --out): interrupted, run the same command again.")
    .action(evaluateReasoning);
}

async function evaluateReasoning(files: readonly string[], flags: ReasoningFlags): Promise<void> {
  outliveReader();
  const [{ withoutEnding, stemOf }, { namedPath }, { UserError }, { listenForStop }, { judgingLine }, evaluation] = await Promise.all([
    import("../inference/record.js"),
    import("../inference/data.js"),
    import("../util/errors.js"),
    import("./stop-signal.js"),
    import("./judging-line.js"),
    import("../evaluation/reasoning-run.js"),
  ]);
  const first = namedPath(files[0]).path;
  const out = flags.out ?? `${withoutEnding(first)}-reasoning.json`;
  const name = flags.name ?? stemOf(first);
  const judgedAlready = evaluation.readJudged(files);
  if (judgedAlready !== null) {
    await show(judgedAlready.rows, evaluation.nothingLeftOut);
    if (flags.out !== undefined || flags.name !== undefined) {
      evaluation.writeReasoning(out, { ...judgedAlready, name }, { inputs: files, gold: [], records: judgedAlready.rows.length, leftOut: evaluation.nothingLeftOut });
      process.stdout.write(`wrote ${out}\n`);
    }
    return;
  }
  if (flags.gold === undefined && flags.judge !== "recorded") throw new UserError("--gold: name the gold reasoning to judge by: a data set that has it, or a file [{image_path, question, answer, solution}]");
  const { rows, tasks } = evaluation.readTasks(files, flags.gold ?? null, flags.split);
  const judge = await openJudge(flags, out);
  const line = judgingLine(process.stderr, () => judge.account?.());
  const stop = listenForStop("stopped; what was judged is in the cache: run the same command again to go on");
  try {
    const judged = await evaluation.judgeReasoning(tasks.tasks, judge, { signal: stop.signal, onProgress: line.progress });
    line.close();
    await show(judged, tasks.leftOut);
    evaluation.writeReasoning(out, { name, judge: judge.name, rows: judged }, { inputs: files, gold: flags.gold ?? [], records: rows.length, leftOut: tasks.leftOut });
    process.stdout.write(`Judge: ${judge.name}.\nwrote ${out}\n`);
  } finally {
    line.close();
    stop.close();
    await judge.close?.();
  }
}

async function openJudge(flags: ReasoningFlags, out: string): Promise<Judge> {
  const { UserError } = await import("../util/errors.js");
  switch (flags.judge) {
    case "phantom": {
      const [{ phantomJudge }, { verifyExample }] = await Promise.all([import("../judges/phantom.js"), import("../datasets/phantom/index.js")]);
      return phantomJudge(verifyExample);
    }
    case "recorded": {
      if (flags.labels === undefined) throw new UserError("--judge recorded needs --labels FILE");
      const { loadRecordedJudge } = await import("../judges/recorded.js");
      return loadRecordedJudge(flags.labels);
    }
    case "llm": {
      const { openLlmJudge } = await import("../judges/llm/open.js");
      const options = judgeOptionsOf(flags);
      return openLlmJudge({ ...options, cache: options.cache ?? `${out}.judge-cache.db`, onNotice: (text) => process.stderr.write(`breakwater: ${text}\n`) });
    }
  }
}

async function show(rows: readonly ReasoningRow[], leftOut: ReasoningTasks["leftOut"]): Promise<void> {
  const [{ measureReasoning, stepPositions, worstPosition }, { estimateKinds, estimateSystem }, { datasetsTable, kindsOfQuestionTable, positionsTable }, { terminalTable }, { ffpFormula }, { FAR_BIN_KEYS }] = await Promise.all([
    import("../evaluation/reasoning-run.js"),
    import("../evaluation/estimates.js"),
    import("../report/result-tables.js"),
    import("../report/tables.js"),
    import("../evaluation/cascade.js"),
    import("../evaluation/metrics.js"),
  ]);
  const measured = measureReasoning(rows);
  const estimates = estimateSystem(measured);
  const write = (table: Parameters<typeof terminalTable>[0]): void => void process.stdout.write(`${terminalTable(table)}\n\n`);
  write(datasetsTable(estimates, ["stepValidity", "alignment", "contribution", "failing"]));
  write(datasetsTable(estimates, ["early", "mid", "late", "far"]));
  write(datasetsTable(estimates, FAR_BIN_KEYS));
  const kinds = estimateKinds(measured);
  if (kinds !== null) write(kindsOfQuestionTable(kinds, ["stepValidity", "early", "mid", "late", "far"]));
  const chains = rows.map(({ chain }) => chain);
  const positions = stepPositions(chains);
  write(positionsTable(positions));
  const worst = worstPosition(positions);
  if (worst !== null && worst.invalid > 0) process.stdout.write(`Step ${worst.position}${worst.andLater ? " and later" : ""} fails most: ${((100 * worst.invalid) / worst.steps).toFixed(1)}% of its sentences are invalid.\n`);
  process.stdout.write(`First failure point: ${ffpFormula}; its shares are of the chains that fail. Brackets: 95% bootstrap intervals over questions.\n`);
  const unjudged = chains.filter(({ verdicts }) => verdicts === null);
  const left = [
    unjudged.length > 0 ? `${unjudged.length} chains not judged` : "",
    chains.some(({ steps }) => steps.length === 0) ? `${chains.filter(({ steps }) => steps.length === 0).length} chains without a sentence` : "",
    leftOut.noGold > 0 ? `${leftOut.noGold} rows without gold reasoning` : "",
    leftOut.duplicates > 0 ? `${leftOut.duplicates} rows that stand twice` : "",
    leftOut.failed > 0 ? `${leftOut.failed} rows without a completion` : "",
  ].filter((part) => part !== "");
  if (left.length > 0) process.stdout.write(`In no figure: ${left.join(", ")}.\n`);
  const reasons: Record<string, number> = {};
  for (const { unscored } of unjudged) for (const reason of unscored) reasons[reason] = (reasons[reason] ?? 0) + 1;
  for (const [reason, n] of Object.entries(reasons)) process.stdout.write(`  ${n} × ${reason}\n`);
}
