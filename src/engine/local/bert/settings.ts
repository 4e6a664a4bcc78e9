import { UserError } from "../../../util/errors.js";

/** The paper's layer: the last one of a base-size encoder. */
export const defaultLayer = 12;

/** What an encoder is opened with. Plain data: it crosses into a worker thread. */
export interface EncoderSettings {
  /** A Hugging Face folder, or an .onnx file with a tokenizer beside it. */
  readonly path: string;
  /** Name for people and records; the path where not given. */
  readonly label?: string;
  /** Block whose output is compared, from 1; 12 (or the last of a smaller encoder) where not given. */
  readonly layer?: number;
  readonly threads: number;
  /** ONNX Runtime execution provider. */
  readonly provider: string;
}

/** @throws UserError where the encoder has no such block. */
export function chooseLayer(asked: number | undefined, depth: number, path: string): number {
  if (asked === undefined) return Math.min(defaultLayer, depth);
  if (!Number.isInteger(asked) || asked < 0 || asked > depth) {
    throw new UserError(`layer ${asked} of ${path}: the encoder has ${depth} layers (0 is the embeddings); name one of them`);
  }
  return asked;
}

/** How the run's records name what answers were scored with. */
export function encoderName({ label, path }: EncoderSettings, layer: number): string {
  return `BERTScore of ${label ?? path}, layer ${layer}`;
}
