export interface TinkerEngineOptions {
  /** Where the server listens: http://host:8000 */
  readonly baseUrl: string;
  /** Name of the base model as the server knows it; default: the only one that it serves. */
  readonly baseModel?: string;
  /** Another server of the same model for the frozen start policy of the KL term: for servers that hold one model only. */
  readonly referenceUrl?: string;
  /** Hugging Face folder with the model's config and tokenizer, or a folder that this engine saved, to start from its weights. */
  readonly model: string;
  /** Rank of the adapters; 0 asks for full fine-tuning. */
  readonly loraRank: number;
  /** Initial adapters are drawn from this seed. */
  readonly seed: number;
  /** Sent as X-API-Key. Only ever from the environment. */
  readonly apiKey?: string;
  readonly wire?: "auto" | "json" | "protobuf";
  /** What the server makes of a batch's losses; `auto` measures it once. */
  readonly reduction?: "auto" | "sum" | "mean";
  /** `exact`: a forward pass first, loss and gradient as our definition has them. `fused`: one pass with the server's own loss. */
  readonly loss?: "exact" | "fused";
  /** `own`: each completion its own seed, one request each where seeds do not follow each other. `first`: a group is one request with its first seed. */
  readonly groupSeeds?: "own" | "first";
  /** Sampling requests at the server at a time. */
  readonly maxInFlight?: number;
  /** Longest prompt + completion, tokens; default: what the server or the model's config says. */
  readonly maxSequenceTokens?: number;
  /** Seconds to go on trying while the server is down or overloaded. */
  readonly patienceSeconds?: number;
  readonly pollSeconds?: number;
  /** Download saved adapters into our folders. */
  readonly download?: boolean;
  /** For people: retries, what the server does not do. */
  readonly log?: (line: string) => void;
}
