import { Command, Option } from "commander";

/** `breakwater start-policy`: makes the phantom's start policy anew, as the shipped ones were made. */
export function startPolicyCommand(): Command {
  return new Command("start-policy")
    .description("Train a start policy for the phantom from nothing (about 20 minutes on two cores).")
    .requiredOption("--out <dir>", "Hugging Face folder to write; must not exist or be empty")
    .addOption(new Option("--profile <name>", "how it misreads").choices(["biased", "confident", "gold"]).default("biased"))
    .action(async ({ out, profile }: { out: string; profile: "biased" | "confident" | "gold" }) => {
      const { existsSync, readdirSync } = await import("node:fs");
      const { UserError } = await import("../util/errors.js");
      if (existsSync(out) && readdirSync(out).length > 0) throw new UserError(`--out: ${out} is not empty; name a new folder`);
      const { makeStartPolicy } = await import("../training/phantom-start.js");
      await makeStartPolicy(out, {
        profile,
        onStep: (stage, step, loss) => {
          if (step % 50 === 0 || step === stage.steps) process.stdout.write(`${stage.profile} ${step}/${stage.steps}  loss ${loss.toFixed(4)}\n`);
        },
      });
      process.stdout.write(`wrote ${out}\n`);
    });
}
