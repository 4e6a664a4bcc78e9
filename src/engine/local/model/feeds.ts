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

/**
 * Feeds by name. Prefix rows run over prompts, then tokens. Completion rows `[M]` are the completions' tokens one after
 * another, without padding between them, and at least one row of padding at the end; for attention they are moved to
 * places `[P, G, Tc]`.
 */
export const trainFeeds = {
  prefixTokens: "prefix.tokens",
  prefixCos: "prefix.cos",
  prefixSin: "prefix.sin",
  /** Additive `[P, 1, 1, prefix]`: −1e9 at padding. */
  prefixMask: "prefix.mask",
  tokens: "completion.tokens",
  /** int64 `[P·G·heads·Tc]`: the head's row (row·heads + head) at each place `[P, G, keyHeads, heads/keyHeads, Tc]`. */
  queryRows: "completion.query_rows",
  /** int64 `[M, heads]`: the place of each head's row. */
  queryPlaces: "completion.query_places",
  /** int64 `[P·G·keyHeads·Tc]`: as `queryRows`, for keys and values. */
  keyRows: "completion.key_rows",
  /** int64 `[M, keyHeads]` */
  keyPlaces: "completion.key_places",
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

/** Feeds of a decoding step; caches are `prefix.keys.<layer>`, `prefix.values.<layer>`, `own.keys.<layer>`, `own.values.<layer>`. */
export const decodeFeeds = {
  tokens: "decode.tokens",
  cos: "decode.cos",
  sin: "decode.sin",
  /** int64 `[P, keyHeads, G]`: the row of each slot's heads among `[R, keyHeads]`, any row for an idle slot. */
  slotRows: "decode.slot_rows",
  /** int64 `[R, keyHeads]`: where the heads of each row are among `[P, keyHeads, G]`. */
  rowSlots: "decode.row_slots",
  /** Additive `[P, 1, G, 1, 1, Tp + To + 1]`: −1e9 at unused places. */
  mask: "decode.mask",
  /** int64 `[3]`: Tp, To, 1. */
  parts: "decode.parts",
  uniforms: "decode.uniforms",
  inverseTemperature: "inverse_temperature",
} as const;
