import { Command } from "commander";
import { atLeast } from "./whole-number.js";

interface ScoreOptions {
  readonly encoder: string;
  readonly encoderLayer?: number;
  readonly device: string;
  readonly threads?: number;
}

export function scoreCommand(): Command {
  return new Command("score")
    .description("Answers to answer rewards: JSON Lines in, JSON Lines out.")
    .argument("[file]", "JSON Lines of {id, candidate, reference}; standard input where not given")
    .option("--encoder <which>", "BERTScore encoder: a folder, an .onnx file, a model of the Hugging Face hub, auto (BiomedBERT) or none", "auto")
    .option("--encoder-layer <n>", "layer to compare; 12, or the last of a smaller encoder, where not given", atLeast(0))
    .option("--device <name>", "ONNX Runtime execution provider of the encoder: cpu, cuda, webgpu", "cpu")
    .option("--threads <n>", "threads of the encoder; half of the cores where not given", atLeast(1))
    .addHelpText(
      "after",
      `
Out: {"id", "reward", "verified": bool, "rouge1", "bleu1", "bertscore": number|null}
reward: 1 where verified, else 0.25 rouge1 + 0.25 bleu1 + 0.5 bertscore; without an encoder 0.5 rouge1 + 0.5 bleu1
A candidate that is null has no answer: 0.`,
    )
    .action(async (file: string | undefined, { encoder: which, encoderLayer: layer, device, threads }: ScoreOptions) => {
      const [{ runFilter }, { scoreFilter }, { openAnswerEncoder }, { answerScorer }] = await Promise.all([
        import("./filter.js"),
        import("./score-filter.js"),
        import("../training/answer-encoder.js"),
        import("../rewards/answer.js"),
      ]);
      const say = (message: string): void => void process.stderr.write(`breakwater: ${message}\n`);
      const encoder = await openAnswerEncoder({ which, layer, device, threads, say });
      say(`answers: ${answerScorer(encoder)}`);
      try {
        await runFilter(file, (io) => scoreFilter(io, encoder));
      } finally {
        await encoder?.close?.();
      }
    });
}
