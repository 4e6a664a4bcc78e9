/** What comes in, checked: the Tinker API's answers as SkyRL and the official SDK define them. Unknown keys are ignored. */
import { z } from "zod";

const id = z.union([z.string(), z.number()]).transform(String);

export const futureSchema = z.object({ request_id: id });
export const createModelSchema = z.object({ request_id: id, model_id: z.string().optional() });
export const modelCreatedSchema = z.object({ model_id: z.string() });
export const sessionSchema = z.object({ session_id: z.string() });
export const samplingSessionSchema = z.object({ sampling_session_id: z.string() });
export const capabilitiesSchema = z.object({
  supported_models: z.array(
    z.object({ model_name: z.string().nullish(), max_context_length: z.number().nullish(), trainable: z.boolean().nullish(), sampleable: z.boolean().nullish() }),
  ),
});
export const clientConfigSchema = z.object({
  fwdbwd_max_chunk_len: z.number().int().positive().optional(),
  fwdbwd_max_chunk_bytes_count: z.number().int().positive().optional(),
  proto_compress_fwdbwd: z.boolean().optional(),
});
const tensorSchema = z.object({ data: z.array(z.number()) });
export const forwardBackwardSchema = z.object({
  loss_fn_outputs: z.array(z.record(z.string(), tensorSchema)),
  metrics: z.record(z.string(), z.number()).nullish().transform((m) => m ?? {}),
});
export const sampleSchema = z.object({
  sequences: z.array(
    z.object({
      stop_reason: z.enum(["stop", "length"]),
      tokens: z.array(z.number().int()),
      logprobs: z.array(z.number()).nullish(),
    }),
  ),
  prompt_logprobs: z.array(z.number().nullable()).nullish(),
});
export const optimStepSchema = z.object({ metrics: z.record(z.string(), z.number()).nullish().transform((m) => m ?? {}) });
export const savedSchema = z.object({ path: z.string() });
export const savedSamplerSchema = z.object({ path: z.string().nullish(), sampling_session_id: z.string().nullish() });
export const anythingSchema = z.unknown();
/** In place of a result: still pending, or failed. */
export const tryAgainSchema = z.object({ type: z.literal("try_again") });
export const failedSchema = z.object({ error: z.string() });

export type ForwardBackwardOutput = z.infer<typeof forwardBackwardSchema>;
export type SampleOutput = z.infer<typeof sampleSchema>;
export type OptimStepOutput = z.infer<typeof optimStepSchema>;
