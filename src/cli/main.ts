#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { StoppedError, UserError, messageOf } from "../util/errors.js";
import { cascadeCommand } from "./cascade.js";
import { compareCommand } from "./compare.js";
import { dataCommand } from "./data.js";
import { demoCommand } from "./demo.js";
import { evalCommand } from "./eval.js";
import { experimentCommand } from "./experiment.js";
import { inferCommand } from "./infer.js";
import { initCommand } from "./init.js";
import { judgeCommand } from "./judge.js";
import { phantomCommand } from "./phantom.js";
import { reportCommand } from "./report.js";
import { scoreCommand } from "./score.js";
import { shapeCommand } from "./shape.js";
import { startPolicyCommand } from "./start-policy.js";
import { stepsCommand } from "./steps.js";
import { trainCommand } from "./train.js";

/** One file per command; each exports a function that makes its Command and loads heavy parts inside its action. */
const commands: readonly (() => Command)[] = [demoCommand, dataCommand, experimentCommand, stepsCommand, shapeCommand, cascadeCommand, judgeCommand, scoreCommand, phantomCommand, initCommand, startPolicyCommand, trainCommand, inferCommand, evalCommand, compareCommand, reportCommand];

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

const program = new Command("breakwater")
  .description("Step-aware reinforcement learning of medical vision-language models.")
  .version(version())
  .showSuggestionAfterError()
  .showHelpAfterError("(breakwater <command> --help lists the options)");
for (const make of commands) program.addCommand(make());

try {
  await program.parseAsync();
} catch (error) {
  const debug = process.env.BREAKWATER_DEBUG === "1";
  const text = error instanceof UserError && !debug ? error.message : error instanceof Error && debug ? (error.stack ?? error.message) : messageOf(error);
  process.stderr.write(`breakwater: ${text}\n`);
  process.exitCode = error instanceof StoppedError ? error.exitCode : 1;
}
