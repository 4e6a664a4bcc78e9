/** Feeds of the vision part, by name. */
export const visionFeeds = {
  patches: "vision.patches",
  positions: "vision.positions",
  cos: "vision.cos",
  sin: "vision.sin",
  mask: "vision.mask",
  /** `[rows]` int64: feature row of each token, the number of feature rows for text. */
  place: "vision.place",
  /** `[featureRows]` int64: token of each feature row, the number of tokens for padding. */
  inverse: "vision.inverse",
  /** `[rows, 1]`: 1 for text, 0 where an image feature stands. */
  isText: "vision.is_text",
} as const;

/** Feeds by name; rows run over prompts, then tokens (prefix) or over prompts, group, tokens (completion). */
export const trainFeeds = {
  prefixTokens: "prefix.tokens",
  prefixCos: "prefix.cos",
  prefixSin: "prefix.sin",
  /** Additive `[P, 1, 1, prefix]`: −1e9 at padding. */
  prefixMask: "prefix.mask",
  tokens: "completion.tokens",
  targets: "completion.targets",
  cos: "completion.cos",
  sin: "completion.sin",
  inverseTemperature: "inverse_temperature",
  weights: "loss.weights",
  advantages: "loss.advantages",
  oldLogprobs: "loss.old_logprobs",
  referenceLogprobs: "loss.reference_logprobs",
  epsLow: "loss.eps_low",
  epsHigh: "loss.eps_high",
  klCoef: "loss.kl_coef",
} as const;

export const trainOutputs = {
  logprobs: "logprobs",
  entropy: "entropy",
  loss: "loss",
  kl: "kl",
  clipped: "clipped",
  /** Gradients of embedding rows, to be scattered at their tokens. */
  prefixRows: "grad.prefix_rows",
  completionRows: "grad.completion_rows",
  /** The targets' share of the head's gradient, to be scattered at the targets. */
  targetRows: "grad.target_rows",
} as const;

/** Feeds of a decoding step; caches are `cache.keys.<layer>` and `cache.values.<layer>`. */
export const decodeFeeds = {
  tokens: "decode.tokens",
  cos: "decode.cos",
  sin: "decode.sin",
  /** Additive `[R, 1, 1, capacity]`: −1e9 at unused places. */
  mask: "decode.mask",
  uniforms: "decode.uniforms",
  inverseTemperature: "inverse_temperature",
} as const;
