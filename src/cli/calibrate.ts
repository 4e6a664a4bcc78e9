import { Command, Option } from "commander";
import { UserError } from "../util/errors.js";
import { judgeOptionsOf, withJudgeOptions, type JudgeFlags } from "./judge-options.js";
import { atLeast } from "./whole-number.js";

interface CalibrateFlags extends JudgeFlags {
  readonly run?: string;
  readonly data?: string;
  readonly split: string;
  readonly profile: "gold" | "biased" | "confident";
  readonly chains: number;
  readonly seed: number;
  readonly markdown?: string;
  readonly json?: string;
}

export function calibrateCommand(): Command {
  return withJudgeOptions(new Command("calibrate"))
    .description("How far a judge agrees with human labels or with the phantom's truth: Cohen's kappa and confusion by bit and by step position.")
    .argument("[labels]", "JSON Lines of labelled chains, or take --run or --data")
    .option("--run <dir>", "chains and verdicts stored in a run (trained with the phantom's judge: the truth)")
    .option("--data <dir>", "chains made from a phantom data set's own error profile")
    .option("--split <name>", "split of --data", "test")
    .addOption(new Option("--profile <name>", "errors of the chains of --data").choices(["gold", "biased", "confident"]).default("biased"))
    .option("--chains <n>", "chains of --run or --data", atLeast(1), 200)
    .option("--seed <n>", "seed of the choice and of the bootstrap", atLeast(0), 0)
    .option("--markdown <file>", "write the report there")
    .option("--json <file>", "write the figures there")
    .addHelpText("after", `\nA labelled chain: {"id", "image": path|null, "question", "answer", "goldReasoning", "steps": [{"text", "alignment": 0|1, "contribution": 0|1}]}`)
    .action(async (labels: string | undefined, _own: CalibrateFlags, command: Command) => {
      // The options stand on `judge` too, and commander gives those of both to the parent first.
      const flags = command.optsWithGlobals<CalibrateFlags>();
      const [calibration, { openLlmJudge }, { judgeProgress }, { listenForStop }, tables, { terminalTable }, { writeFileAtomic }] = await Promise.all([
        import("../evaluation/calibration.js"),
        import("../judges/llm/open.js"),
        import("./judge-progress.js"),
        import("./stop-signal.js"),
        import("../report/agreement-table.js"),
        import("../report/tables.js"),
        import("../util/atomic-file.js"),
      ]);
      const { run, data, chains: count, seed, split, profile } = flags;
      if ([labels, run, data].filter((source) => source !== undefined).length !== 1) {
        throw new UserError("name one source of labelled chains: a file, --run or --data");
      }
      let source: Awaited<ReturnType<typeof truthOf>>;
      const progress = judgeProgress(process.stderr);
      const judge = openLlmJudge({ ...judgeOptionsOf(flags), onNotice: progress.notice });
      const stop = listenForStop(flags.judgeCache === undefined ? "stopped" : "stopped; run it again to go on: what was judged is in the cache");
      try {
        source = await truthOf();
        progress.watch(judge);
        const result = await calibration.calibrate(judge, source.chains, source.truth, { seed, signal: stop.signal });
        progress.close();
        process.stdout.write(`judge ${result.judge} against ${result.truth}\n${tables.calibrationSummary(result)}\n`);
        for (const table of [tables.bitTable(result), tables.positionTable(result), tables.stepTable(result)]) process.stdout.write(`\n${terminalTable(table)}\n`);
        if (flags.json !== undefined) writeFileAtomic(flags.json, `${JSON.stringify(result, null, 2)}\n`);
        if (flags.markdown !== undefined) writeFileAtomic(flags.markdown, `${tables.calibrationMarkdown(result)}\n`);
      } finally {
        stop.close();
        await judge.close?.();
      }

      async function truthOf() {
        if (run !== undefined) return calibration.runChains(run, count, seed);
        if (data !== undefined) return { chains: calibration.phantomChains(data, { split, profile, count, seed }), truth: `${data}: the phantom's truth (errors: ${profile})` };
        return { chains: await calibration.labelledChains(labels ?? ""), truth: `labels in ${labels}` };
      }
    });
}
