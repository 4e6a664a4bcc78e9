import { Command, InvalidArgumentError, Option } from "commander";
import type { Question } from "../inference/data.js";
import type { InferenceOptions } from "../inference/run-inference.js";
import { atLeast } from "./whole-number.js";

interface InferFlags {
  readonly model?: string;
  readonly url?: string;
  readonly modelName?: string;
  readonly data: readonly string[];
  readonly out: string;
  readonly split: string;
  readonly questions: number;
  readonly openEnded?: boolean;
  readonly temperature: number;
  readonly topP: number;
  readonly samples: number;
  readonly seed: number;
  readonly maxTokens?: number;
  readonly thinkTag: "auto" | "think" | "thinking";
  readonly instruction: "auto" | "none" | "short" | "full";
  readonly system?: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly attempts: number;
  readonly patience: number;
  readonly maxImageSide: number;
  readonly plain?: boolean;
}

/** `breakwater infer`: a model's completions of data sets, in the reference's inference format. */
export function inferCommand(): Command {
  return new Command("infer")
    .description("Let a model answer the questions of data sets, into a file of the reference's format. Interrupted, run the same command again: it goes on.")
    .option("--model <path>", 'run folder, Hugging Face folder, or "start" for the shipped start policy')
    .option("--url <url>", "or an OpenAI-compatible API, such as http://localhost:8000/v1 of vLLM (a key is read from OPENAI_API_KEY)")
    .option("--model-name <name>", "the model's name there")
    .requiredOption("--data <paths...>", "data sets: folders or JSON files; NAME=PATH gives a name for the results")
    .requiredOption("--out <file>", "JSON file to write")
    .option("--split <name>", "split of folders", "test")
    .option("--questions <n>", "the first n questions of each data set; 0 takes all", atLeast(0), 0)
    .option("--open-ended", "leave out questions answered by yes or no")
    .option("--temperature <t>", "sampling temperature; 0 is greedy", number((t) => t >= 0, "Give a number of 0 or more."), 0)
    .option("--top-p <p>", "nucleus mass; 1 keeps all tokens", number((p) => p > 0 && p <= 1, "Give a number above 0, up to 1."), 1)
    .option("--samples <n>", "completions of each question", atLeast(1), 1)
    .option("--seed <n>", "seed of the sampling", atLeast(0), 0)
    .option("--max-tokens <n>", "longest completion, tokens (default: the run's own, else 512)", atLeast(1))
    .addOption(new Option("--think-tag <tag>", "tag of the reasoning; auto: thinking for Qwen3 models, else think").choices(["auto", "think", "thinking"]).default("auto"))
    .addOption(new Option("--instruction <kind>", "what is asked after the question; auto: the run's own, none for the small models made here, else full").choices(["auto", "none", "short", "full"]).default("auto"))
    .option("--system <text>", "system message")
    .option("--concurrency <n>", "questions under way at once (--url)", atLeast(1), 16)
    .option("--timeout <seconds>", "longest wait for one answer (--url)", atLeast(1), 300)
    .option("--attempts <n>", "calls for one question before it counts as failed (--url)", atLeast(1), 5)
    .option("--patience <seconds>", "longest wait for a server that is away (--url)", atLeast(0), 600)
    .option("--max-image-side <pixels>", "larger images are scaled down before they are sent (--url)", atLeast(28), 1536)
    .option("--plain", "write the reference's six keys and no other")
    .action(infer);
}

async function infer(flags: InferFlags): Promise<void> {
  const [{ loadQuestions, namedPath }, { runInference }, { UserError }, { listenForStop }] = await Promise.all([
    import("../inference/data.js"),
    import("../inference/run-inference.js"),
    import("../util/errors.js"),
    import("./stop-signal.js"),
  ]);
  if ((flags.model === undefined) === (flags.url === undefined)) {
    throw new UserError("name one model: --model PATH on this machine, or --url URL --model-name NAME on a server");
  }
  if (flags.samples > 1 && flags.temperature === 0) throw new UserError("--samples: several greedy completions are all the same; take --temperature above 0");
  const questions = loadQuestions(flags.data.map(namedPath), { split: flags.split, openEndedOnly: flags.openEnded, limit: flags.questions });
  const { settings, open } = flags.url === undefined ? await local(flags, questions) : await remote(flags, flags.url);
  const live = process.stderr.isTTY;
  const stop = listenForStop("stopped; what was answered is kept: run the same command again to go on");
  const result = await runInference({
    ...{ questions, settings, open },
    ...{ out: flags.out, samples: flags.samples, seed: flags.seed, plain: flags.plain, signal: stop.signal },
    onProgress: (done, total, failed) => {
      if (live) process.stderr.write(`\r${done} of ${total} answered${failed > 0 ? `, ${failed} of them failed` : ""}${done === total ? "\n" : ""}`);
    },
  }).finally(stop.close);
  const { total, before, failed, reasons, noAnswer } = result;
  const notes = [before > 0 ? `${before} from an earlier run` : "", noAnswer > 0 ? `${noAnswer} without an answer tag` : ""].filter((note) => note !== "");
  process.stdout.write(`${total - failed} of ${total} completions of ${questions.length} questions${notes.length > 0 ? ` (${notes.join(", ")})` : ""}\nwrote ${flags.out}\n`);
  if (failed === 0) return;
  for (const [reason, n] of Object.entries(reasons)) process.stderr.write(`breakwater: ${n} failed: ${reason}\n`);
  process.stderr.write("breakwater: failed questions are marked in the file and are no answers; the same command asks them again\n");
  process.exitCode = 1;
}

type Prepared = Pick<InferenceOptions, "settings" | "open">;

async function local(flags: InferFlags, questions: readonly Question[]): Promise<Prepared> {
  const [{ openLocalGenerator, weightsMark }, { openTarget }, { modelFolder }] = await Promise.all([
    import("../inference/local-generator.js"),
    import("../evaluation/target.js"),
    import("../training/create-parts.js"),
  ]);
  const target = openTarget(flags.model ?? "start");
  const { prompt } = target.config;
  const asked = {
    ...prompt,
    ...(flags.instruction === "auto" ? {} : { instruction: flags.instruction }),
    ...(flags.thinkTag === "auto" ? {} : { thinkTag: flags.thinkTag }),
    ...(flags.system === undefined ? {} : { system: flags.system }),
  };
  const { temperature, topP, maxTokens, samples } = flags;
  return {
    settings: {
      model: target.name,
      weights: weightsMark(modelFolder(target.model), target.state),
      ...{ temperature, topP, maxTokens: maxTokens ?? null },
      ...{ thinkTag: asked.thinkTag, instruction: asked.instruction, system: asked.system ?? null },
    },
    open: () => openLocalGenerator({ ...target, config: { ...target.config, prompt: asked } }, questions, { temperature, topP, maxTokens, samples }),
  };
}

async function remote(flags: InferFlags, url: string): Promise<Prepared> {
  const [{ serverGenerator, thinkTagOf }, { UserError }] = await Promise.all([import("../inference/server-generator.js"), import("../util/errors.js")]);
  const { modelName: model, temperature, topP, maxTokens, system } = flags;
  if (model === undefined) throw new UserError("--url needs --model-name: the name under which the server knows the model (curl URL/models lists them)");
  const prompt = {
    thinkTag: flags.thinkTag === "auto" ? thinkTagOf(model) : flags.thinkTag,
    instruction: flags.instruction === "auto" ? ("full" as const) : flags.instruction,
    ...(system === undefined ? {} : { system }),
  };
  const key = process.env.OPENAI_API_KEY?.trim();
  return {
    settings: { model, ...{ temperature, topP, maxTokens: maxTokens ?? null }, ...prompt, system: system ?? null, maxImageSide: flags.maxImageSide },
    open: () =>
      Promise.resolve(
        serverGenerator({
          ...{ url, model, temperature, topP, maxTokens, prompt },
          apiKey: key === undefined || key === "" ? null : key,
          ...{ concurrency: flags.concurrency, timeout: flags.timeout, attempts: flags.attempts, patience: flags.patience, maxSide: flags.maxImageSide },
        }),
      ),
  };
}

function number(good: (n: number) => boolean, message: string): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === "" || !Number.isFinite(n) || !good(n)) throw new InvalidArgumentError(message);
    return n;
  };
}
