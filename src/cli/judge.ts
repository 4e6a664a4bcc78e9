import { Command } from "commander";
import { calibrateCommand } from "./calibrate.js";
import { judgeOptionsOf, withJudgeOptions, type JudgeFlags } from "./judge-options.js";

export function judgeCommand(): Command {
  return withJudgeOptions(new Command("judge"))
    .description("Reasoning steps to verdicts by a language model: JSON Lines in, JSON Lines out. The key is read from OPENAI_API_KEY; a local server needs none.")
    .argument("[file]", "JSON Lines of chains; standard input where not given")
    .addHelpText(
      "after",
      `
In:  {"id", "image": path|null, "question", "answer", "goldReasoning", "steps": [text, …]}
Out: {"id", "status": "judged"|"unscored", "reason"?, "steps": [{"alignment": 0|1, "contribution": 0|1, "valid": bool}]},
     in input order; with several judges each step has their "votes"
Run again with the same --judge-cache, it asks (and pays) only for what the cache does not hold.`,
    )
    .addCommand(calibrateCommand())
    .action(async (file: string | undefined, flags: JudgeFlags) => {
      const [{ runFilter }, { judgeFilter }, { openLlmJudge }, { judgeProgress }, { listenForStop }] = await Promise.all([
        import("./filter.js"),
        import("./judge-filter.js"),
        import("../judges/llm/open.js"),
        import("./judge-progress.js"),
        import("./stop-signal.js"),
      ]);
      const options = judgeOptionsOf(flags);
      const progress = judgeProgress(process.stderr);
      const judge = openLlmJudge({ ...options, onNotice: progress.notice });
      const again = options.cache === undefined ? "" : "; run it again to go on: what was judged is in the cache";
      const stop = listenForStop(`stopped${again}`);
      progress.watch(judge);
      try {
        await runFilter(file, (io) => judgeFilter(io, judge, { signal: stop.signal, window: 4 * flags.concurrency, onLine: progress.line }));
      } finally {
        progress.close();
        stop.close();
        await judge.close?.();
        // A pipe that nobody closes would keep the process.
        process.stdin.destroy();
      }
    });
}
