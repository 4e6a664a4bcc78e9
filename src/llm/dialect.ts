import type { ChatCompletionCreateParamsNonStreaming, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { JsonObject } from "../util/json-file.js";

/** How a reply's shape is asked for, from the strictest on. */
const formats = ["json_schema", "json_object", "text"] as const;
type Format = (typeof formats)[number];

export interface Wording {
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly schema: { readonly name: string; readonly schema: JsonObject } | undefined;
  readonly maxTokens: number;
  readonly temperature: number;
}

/** What one server or model takes: found out by its refusals and kept for the rest of the run. */
export interface Features {
  readonly format: Format;
  readonly tokenLimit: "max_tokens" | "max_completion_tokens" | "none";
  readonly temperature: boolean;
}

export const allFeatures: Features = { format: "json_schema", tokenLimit: "max_tokens", temperature: true };

export function requestBody(model: string, wording: Wording, features: Features): ChatCompletionCreateParamsNonStreaming {
  const { messages, schema, maxTokens, temperature } = wording;
  return {
    model,
    messages: [...messages],
    ...(features.temperature ? { temperature } : {}),
    ...(features.tokenLimit === "none" ? {} : { [features.tokenLimit]: maxTokens }),
    ...responseFormat(schema, features.format),
  };
}

function responseFormat(schema: Wording["schema"], format: Format): Pick<ChatCompletionCreateParamsNonStreaming, "response_format"> {
  if (schema === undefined || format === "text") return {};
  if (format === "json_object") return { response_format: { type: "json_object" } };
  return { response_format: { type: "json_schema", json_schema: { name: schema.name, strict: true, schema: { ...schema.schema } } } };
}

/**
 * What to leave out after a request was rejected (400, 415, 422 …); `null` where nothing is left to leave out.
 * `certain` where the server named it; otherwise it is a guess, to be kept only when the next try succeeds.
 */
export function withoutRejected(features: Features, hasSchema: boolean, reason: string, param: string | null): { readonly features: Features; readonly certain: boolean } | null {
  const named = `${param ?? ""} ${reason}`;
  if (/maximum context|context length|context_length|context window|too large/i.test(named) && features.tokenLimit !== "none") {
    // Prompt and longest reply together are too long for the model: without a limit the server takes what is left.
    return { features: { ...features, tokenLimit: "none" }, certain: false };
  }
  if (/max_completion_tokens/i.test(named) && /max_tokens/i.test(named) && features.tokenLimit === "max_tokens") {
    return { features: { ...features, tokenLimit: "max_completion_tokens" }, certain: true };
  }
  if (param === features.tokenLimit && /unsupported|not support|unknown|unrecognized|extra/i.test(reason)) {
    return { features: { ...features, tokenLimit: features.tokenLimit === "max_tokens" ? "max_completion_tokens" : "none" }, certain: true };
  }
  if (/temperature/i.test(named) && features.temperature) return { features: { ...features, temperature: false }, certain: true };
  const next = formats[formats.indexOf(features.format) + 1];
  if (!hasSchema || next === undefined) return null;
  const certain = /response_format|json_schema|json_object|json schema|structured|grammar|guided|schema/i.test(named);
  return { features: { ...features, format: next }, certain };
}
