import { z } from "zod";
import { aggregations } from "../advantages/loss.js";
import { decays, shapingDefaults, shapings } from "../advantages/shaping.js";

/**
 * The keys of `breakwater train`. Every leaf has a default (or is optional) and a description: the flags, the help and
 * the table in docs/run-folder.md are made from this schema.
 */

const count = () => z.number().int().min(0);
const positive = () => z.number().int().min(1);
const share = () => z.number().min(0).max(1);

const data = (what: string, split: string) => ({
  path: z.string().optional().describe(`${what}: folder or JSON file`),
  format: z
    .enum(["auto", "reference", "vqa-rad"])
    .default("auto")
    .describe("layout: reference (image, problem, solution; `breakwater phantom` writes it too), vqa-rad, or found out"),
  split: z.string().default(split).describe("which file of a folder: <split>.json"),
  limit: count().default(0).describe("use the first n examples; 0 uses all"),
  openEndedOnly: z.boolean().default(false).describe("leave out questions whose gold answer is yes or no"),
  reasoning: z.string().optional().describe("file of gold reasoning; <split>-reasoning.json beside the data where not given"),
  imageRoot: z.string().optional().describe("folder to look for images in first"),
});

export const trainSchema = z.strictObject({
  method: z.enum(["sft", "grpo", "gdpo", "mrpo"]).default("mrpo").describe("what to train with"),
  model: z.string().default("start").describe('Hugging Face folder of the start policy; "start" is the one shipped with the package'),
  output: z.string().optional().describe("the run's folder; runs/<method>-seed<seed> where not given"),
  seed: count().default(0).describe("the data order and every sampled token follow from it"),
  steps: count().default(0).describe("updates; 0 takes them from epochs"),
  epochs: z.number().positive().default(1).describe("passes over the data, where steps is 0"),
  data: z.strictObject(data("training examples", "train")).prefault({}),
  engine: z
    .strictObject({
      kind: z.enum(["local", "tinker"]).default("local").describe("where the model runs"),
      workers: count().optional().describe("worker threads of the local engine (0: none); it chooses where not given"),
      threads: positive().optional().describe("ONNX Runtime threads of each worker; the cores shared out where not given"),
      device: z.string().default("cpu").describe("ONNX Runtime execution provider: cpu, cuda, webgpu"),
      maxRows: positive().default(16).describe("sequences of one run of the training graph"),
      slots: positive().default(64).describe("completions that one worker decodes together"),
      trainable: z.enum(["full", "lora"]).default("full").describe("train all weights or low-rank adapters"),
      lora: z
        .strictObject({
          rank: positive().default(16).describe("rank of the adapters"),
          alpha: z.number().positive().default(32).describe("scale of the adapters: alpha / rank"),
          targets: z
            .array(z.string())
            .default(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
            .describe("layers that get an adapter"),
        })
        .prefault({}),
      baseUrl: z.string().optional().describe("tinker: address of the server, http://host:8000"),
      baseModel: z.string().optional().describe("tinker: the model's name on the server; the only one that it serves where not given"),
      tinker: z
        .strictObject({
          wire: z.enum(["auto", "json", "protobuf"]).default("auto").describe("form of large requests; auto: what the server takes"),
          loss: z
            .enum(["exact", "fused"])
            .default("exact")
            .describe("exact: a forward pass, then the gradient of our loss; fused: one pass with the server's own clipped loss"),
          reduction: z.enum(["auto", "sum", "mean"]).default("auto").describe("what the server makes of a batch's losses; auto measures it"),
          groupSeeds: z
            .enum(["own", "first"])
            .default("own")
            .describe("own: a seed for each completion; first: a group is one request (and sends its image once), seeded by its first"),
          maxInFlight: positive().default(64).describe("sampling requests at the server at a time"),
          maxSequenceTokens: positive().optional().describe("longest prompt and completion; what server or model say where not given"),
          patienceSeconds: positive().default(600).describe("how long to go on trying while the server is down or overloaded"),
          referenceUrl: z.string().optional().describe("server for the frozen start policy of the KL term, where the first holds one model only"),
          download: z.boolean().default(true).describe("download saved adapters into the run's folders"),
        })
        .prefault({}),
    })
    .prefault({}),
  prompt: z
    .strictObject({
      instruction: z
        .enum(["auto", "none", "short", "full"])
        .default("auto")
        .describe("what is asked after the question; auto: none for the small models made by this package, else full"),
      thinkTag: z
        .enum(["auto", "think", "thinking"])
        .default("auto")
        .describe("tag of the reasoning; auto: thinking where <think> is a special token"),
      text: z.string().optional().describe("what is asked after the question, in words of your own; {tag} stands for the think tag"),
      system: z.string().optional().describe("system message"),
    })
    .prefault({}),
  images: z
    .strictObject({
      minPixels: positive().optional().describe("Qwen-VL: fewest pixels of an image after resizing; the checkpoint's where not given"),
      maxPixels: positive().optional().describe("Qwen-VL: most pixels of an image after resizing; the checkpoint's where not given"),
      maxTiles: positive().optional().describe("InternVL: most tiles of an image beside the thumbnail; the checkpoint's where not given"),
    })
    .prefault({}),
  sft: z
    .strictObject({
      corruption: z
        .enum(["none", "gold", "biased", "confident"])
        .default("none")
        .describe("imitate the gold reasoning of the data (none), or chains of the phantom under an error profile"),
    })
    .prefault({}),
  sampling: z
    .strictObject({
      groupSize: positive().default(8).describe("completions of each prompt (G)"),
      temperature: z.number().min(0).default(1).describe("sampling temperature"),
      topP: z.number().gt(0).max(1).default(1).describe("nucleus mass; 1 keeps all tokens"),
      topK: count().default(0).describe("most likely tokens to sample from; 0 keeps all"),
      maxTokens: positive().default(512).describe("longest completion, tokens"),
      stop: z.array(z.string()).default(["</answer>"]).describe("texts that end a completion"),
      maxStaleness: count()
        .default(0)
        .describe("batches sampled ahead of their update, while others are judged and learned from; 0 is strictly on-policy"),
    })
    .prefault({}),
  rewards: z
    .strictObject({
      weights: z
        .strictObject({
          answer: z.number().min(0).default(1).describe("weight of the answer reward"),
          process: z.number().min(0).default(1).describe("weight of the share of valid steps"),
          length: z.number().min(0).default(1).describe("weight of the length reward"),
        })
        .prefault({}),
      encoder: z
        .string()
        .default("auto")
        .describe(
          "BERTScore encoder of the answer reward: a folder, an .onnx file, a model of the Hugging Face hub, none, or auto (BiomedBERT; none on the phantom, or where it cannot be had)",
        ),
      encoderLayer: count().optional().describe("layer of the encoder that is compared; 12, or the last of a smaller encoder, where not given"),
      kMin: positive().default(4).describe("fewest steps without a length penalty"),
      kMax: positive().default(10).describe("most steps without a length penalty"),
    })
    .prefault({}),
  advantages: z
    .strictObject({
      normalise: z
        .enum(["std", "none"])
        .default("std")
        .describe("divide by the group's standard deviation, or not (Dr. GRPO; grpo and mrpo only)"),
    })
    .prefault({}),
  shaping: z
    .strictObject({
      variant: z.enum(shapings).default(shapingDefaults.shaping).describe("form of the step-wise shaping (mrpo)"),
      decay: z.enum(decays).default(shapingDefaults.decay).describe("how the penalty falls from the first step to the last"),
      tau: share().default(shapingDefaults.tau).describe("answer reward above which a completion is not shaped"),
      flipValid: z
        .boolean()
        .default(shapingDefaults.flipValid)
        .describe("valid steps of a wrong completion get +|A|; false leaves them A"),
      answerGate: z
        .boolean()
        .default(shapingDefaults.answerGate)
        .describe("shape only completions whose answer reward is at most tau"),
      penaltyCap: z.number().min(0).default(shapingDefaults.penaltyCap).describe("largest penalty factor of the variant bounded"),
      inheritedPenalty: z
        .number()
        .min(0)
        .default(shapingDefaults.inheritedPenalty)
        .describe("penalty factor of a step that only repeats an earlier error, in the variant origin-blame"),
    })
    .prefault({}),
  loss: z
    .strictObject({
      epsLow: share().default(0.2).describe("clip range of the probability ratio below 1"),
      epsHigh: z.number().min(0).default(0.2).describe("clip range of the probability ratio above 1"),
      beta: z.number().min(0).default(0.04).describe("weight of the KL term to the start policy; 0 drops it"),
      aggregation: z
        .enum(aggregations)
        .default("sequence-mean")
        .describe("mean over completions of token means (paper), over all tokens (DAPO), or by maxTokens (Dr. GRPO)"),
    })
    .prefault({}),
  judge: z
    .strictObject({
      kind: z.enum(["phantom", "recorded", "llm", "none"]).default("phantom").describe("who says whether a step is valid"),
      path: z.string().optional().describe("labels of the recorded judge: a JSON Lines file"),
      url: z.string().default("https://api.openai.com/v1").describe("llm: address of an OpenAI-compatible API; the key comes from OPENAI_API_KEY"),
      models: z.array(z.string()).default([]).describe("llm: the model, or several that vote; name@URL asks another server for that one"),
      concurrency: positive().default(16).describe("llm: calls under way at a time"),
      timeout: z.number().positive().default(120).describe("llm: longest wait for one reply, seconds"),
      attempts: positive().default(5).describe("llm: calls of one chain that may fail by the server's fault before it is unscored"),
      corrections: count().default(2).describe("llm: times that a malformed reply or a refusal is asked for again"),
      patience: z.number().min(0).default(600).describe("llm: how long a server that is down is waited for before the run stops, seconds"),
      cache: z.string().optional().describe("llm: SQLite file of the replies paid for, which runs may share; judge-cache.sqlite in the run's folder where not given"),
      retryFailed: z.boolean().default(false).describe("llm: ask again where the cache holds a chain that never got a usable reply"),
      budget: z.string().optional().describe("llm: most that judging may cost: 1000calls, or 5usd with the prices"),
      onBudget: z.enum(["unscored", "stop"]).default("unscored").describe("llm: on a spent budget go on with unscored chains, or end the run"),
      priceIn: z.number().min(0).optional().describe("llm: price of a million prompt tokens"),
      priceOut: z.number().min(0).optional().describe("llm: price of a million tokens of replies"),
      sendImage: z.boolean().default(true).describe("llm: show the image; false for a model that sees none"),
      maxImageSide: positive().default(1024).describe("llm: longest side of an image sent, pixels"),
      maxTokens: positive().default(4096).describe("llm: longest reply, tokens, the model's own reasoning included"),
      temperature: z.number().min(0).default(0).describe("llm: sampling temperature of the judge"),
    })
    .prefault({}),
  optimizer: z
    .strictObject({
      learningRate: z.number().min(0).default(1e-6).describe("peak learning rate of AdamW"),
      beta1: share().default(0.9).describe("decay of the first moment"),
      beta2: share().default(0.999).describe("decay of the second moment"),
      eps: z.number().positive().default(1e-8).describe("added to the root of the second moment"),
      weightDecay: z.number().min(0).default(0).describe("decoupled weight decay"),
      maxGradNorm: z.number().min(0).default(1).describe("largest gradient norm; 0 does not clip"),
      schedule: z.enum(["constant", "linear", "cosine"]).default("constant").describe("learning rate after the warm-up"),
      warmupSteps: count().default(0).describe("steps of linear warm-up"),
    })
    .prefault({}),
  batch: z
    .strictObject({
      prompts: positive().default(8).describe("examples of one update (P)"),
      microBatch: count().default(0).describe("completions of one forward-backward call; 0 takes all at once"),
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      every: count().default(0).describe("evaluate every n steps, at the start and at the end; 0 never"),
      questions: positive().default(128).describe("held-out questions"),
      temperature: z.number().min(0).default(1).describe("sampling temperature of evaluations; 0 is greedy"),
      heldOutShare: share()
        .default(0)
        .describe("without evaluation.data.path: share of the training images to hold out; 0 takes evaluation.data.split of data.path"),
      data: z.strictObject(data("held-out examples", "test")).prefault({}),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      every: count().default(20).describe("save the exact state every n steps; 0 only at the end"),
      keep: positive().default(2).describe("checkpoints kept, newest first"),
    })
    .prefault({}),
});

export type TrainConfig = z.infer<typeof trainSchema>;
/** What a user may write: every key may be left out. */
export type TrainConfigInput = z.input<typeof trainSchema>;
