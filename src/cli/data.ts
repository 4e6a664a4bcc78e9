import { Command } from "commander";
import { dataCheckCommand } from "./data-check.js";
import { dataImportCommand } from "./data-import.js";
import { dataListCommand } from "./data-list.js";
import { dataPrepareCommand } from "./data-prepare.js";
import { dataShowCommand } from "./data-show.js";

/** Each is one file, src/cli/data-<name>.ts. */
const commands: readonly (() => Command)[] = [dataListCommand, dataPrepareCommand, dataImportCommand, dataShowCommand, dataCheckCommand];

/** `breakwater data`: getting, importing, looking at and checking data sets. */
export function dataCommand(): Command {
  const command = new Command("data").description("Get, import, look at and check data sets.");
  for (const make of commands) command.addCommand(make());
  return command;
}
