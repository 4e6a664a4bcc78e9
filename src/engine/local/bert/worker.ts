/** Body of the encoder's worker thread: pairs come in, F1 values go out. */
import { parentPort, workerData } from "node:worker_threads";
import type { AnswerPair } from "../../../rewards/answer.js";
import { openScorer } from "./open-encoder.js";
import type { EncoderSettings } from "./settings.js";

export type EncoderCall = { readonly id: number; readonly pairs: readonly AnswerPair[] | "name" };
export type EncoderReply = { readonly id: number; readonly result: number[] | string } | { readonly id: number; readonly error: { readonly name: string; readonly message: string; readonly stack?: string } };

async function answer(opened: ReturnType<typeof openScorer>, { id, pairs }: EncoderCall): Promise<EncoderReply> {
  try {
    const scorer = await opened;
    return { id, result: pairs === "name" ? scorer.name : await scorer.f1(pairs) };
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { id, error: { name, message, stack } };
  }
}

const port = parentPort;
if (port) {
  const opened = openScorer(workerData as EncoderSettings);
  // The failure is told with the first call.
  opened.catch(() => undefined);
  // One after another: ONNX Runtime's threads are the encoder's share of the cores already.
  let last: Promise<unknown> = Promise.resolve();
  port.on("message", (call: EncoderCall) => {
    last = last.then(async () => port.postMessage(await answer(opened, call)));
  });
}
