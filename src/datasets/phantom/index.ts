export { chainSentences, completionText, goldCompletion } from "./chain.js";
export { corruptChain, corruptionProfiles, misread, type Confusions, type CorruptedChain, type CorruptionProfile, type ProfileName } from "./corrupt.js";
export { difficulties, drawScene, encodePng, type Difficulty, type DrawOptions } from "./draw.js";
export {
  corpusForTokenizer, phantomExample, phantomSftItems, sceneOf, sftCompletion, type PhantomExample, type SftItem,
} from "./example.js";
export { allFacts, factsKey, slots, slotValues, type Facts, type Slot } from "./facts.js";
export { answerTo, questionKinds, questionSpecs, sampleQuestion, type Question, type QuestionKind } from "./questions.js";
export { sampleScene, splitOf, type Scene, type Split } from "./scene.js";
export { verifyChain, verifyExample } from "./verifier.js";
export { phantomDefaults, writePhantomDataset, type PhantomOptions, type WrittenPhantom } from "./write.js";
