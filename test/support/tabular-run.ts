/** Trains the tabular task into a folder, or continues there: the program that the kill test interrupts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { silentDisplay } from "../../src/training/display.js";
import { resume, train } from "../../src/training/run.js";
import { tabularConfig, tabularParts } from "./tabular-task.js";

const [dir, delay, maxStaleness] = process.argv.slice(2);
let stopping = false;
process.on("SIGINT", () => (stopping = true));
const options = {
  makeParts: (config: Parameters<typeof tabularParts>[0]) => Promise.resolve(tabularParts(config, { delay: Number(delay ?? 0) })),
  display: silentDisplay,
  stopRequested: () => stopping,
};
try {
  const started = existsSync(join(dir, "config.json"));
  const result = started ? await resume(dir, options) : await train(tabularConfig(dir, { sampling: { groupSize: 6, maxTokens: 12, maxStaleness: Number(maxStaleness ?? 0) } }), options);
  process.stdout.write(`${result.state} ${result.step}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
}
