/** The library: step-level credit assignment and its measures. Loads no native part; engines are under "breakwater/engine". */
export type {
  ChainVerdict,
  Datum,
  Example,
  Group,
  Rewards,
  Rollout,
  Scored,
  ScoredRollout,
  Span,
  Step,
  StepVerdict,
  StopReason,
  Unscored,
} from "./types.js";

export { segment, type Segmentation, type SegmentOptions, type ThinkTag } from "./steps/segment.js";
export { sentenceSpans, splitSentences } from "./steps/sentences.js";
export { stepTokens, type StepTokens } from "./steps/token-spans.js";

export {
  answerRewards,
  answerScores,
  lexicalAnswerReward,
  type AnswerPair,
  type AnswerReward,
  type AnswerScore,
  type BertScoreEncoder,
} from "./rewards/answer.js";
export { BertScorer, greedyMatch, type BertScore, type BertScorerOptions, type TokenEmbeddings, type TokenEncoder } from "./rewards/bert-score.js";
export { bleu1, rouge1 } from "./rewards/lexical.js";
export { lengthReward, type LengthRewardOptions } from "./rewards/length.js";
export { processReward } from "./rewards/process.js";
export { answersEqual, normaliseAnswer } from "./rewards/verify.js";

export { checkVerdicts, emptyChainVerdict, isValid, type Judge, type JudgeRequest } from "./judges/judge.js";
export { RecordedJudge, chainKey, loadRecordedJudge } from "./judges/recorded.js";

export {
  assignCredit,
  creditRollout,
  methods,
  tokenStepOf,
  type CreditGroup,
  type CreditOptions,
  type CreditRollout,
  type CreditStep,
  type GroupCredit,
  type Method,
  type RewardWeights,
} from "./advantages/credit.js";
export { gdpoAdvantages, type RewardVector } from "./advantages/gdpo.js";
export { groupAdvantages, stdEpsilon, type GroupOptions } from "./advantages/group.js";
export {
  aggregations,
  policyLoss,
  tokenLoss,
  tokenWeights,
  type Aggregation,
  type PolicyLoss,
  type PolicyLossOptions,
  type SequenceTerms,
  type TokenLoss,
  type TokenTerm,
} from "./advantages/loss.js";
export {
  decays,
  penaltyFactor,
  shapeTokens,
  shapingDefaults,
  shapings,
  stepAdvantage,
  type Decay,
  type ShapedCompletion,
  type Shaping,
  type ShapingOptions,
  type StepFacts,
} from "./advantages/shaping.js";

export {
  ffpBins,
  ffpFormula,
  firstFailure,
  summariseCascades,
  type AccumulationRate,
  type CascadeBin,
  type CascadeSummary,
  type ChainValidity,
  type FirstFailure,
  type Stage,
} from "./evaluation/cascade.js";

export { readJsonLines, writeJsonLine, type JsonLine } from "./util/jsonl.js";
export { UserError } from "./util/errors.js";
