/** What a server can do, found out by asking it rather than by its name. */
import { z } from "zod";
import { TinkerError } from "./errors.js";
import type { Http } from "./http.js";
import { clientConfigSchema } from "./schemas.js";

export interface ServerTraits {
  /** A repeated sequence number is not acted on again. */
  readonly dedup: boolean;
  /**
   * A step that waits behind a pass is never run before it. SkyRL's engine looks for passes first and for steps after
   * that: of two that arrive between the looks it finds the step alone, and runs it without the gradient.
   */
  readonly keepsOrder: boolean;
  readonly protobuf: boolean;
  /** Binary bodies may be compressed. */
  readonly zstd: boolean;
  /** The optimiser step clips the gradient's norm as it is asked to. */
  readonly clipsGradient: boolean;
  /** Limits of one pass. */
  readonly maxData: number;
  readonly maxBytes: number;
}

/** The parts of an OpenAPI description (FastAPI serves one) that tell versions of the server apart. */
const openapiSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ requestBody: z.unknown().optional() }).loose())),
  components: z.object({ schemas: z.record(z.string(), z.object({ properties: z.record(z.string(), z.unknown()).optional() }).loose()) }),
});

/** Where a service describes itself nowhere it is taken for the hosted one, which the official SDK is written for. */
const hosted = { dedup: true, keepsOrder: true, protobuf: true, clipsGradient: true };

export async function readTraits(http: Http, { wire, sdkVersion }: { wire: "auto" | "json" | "protobuf"; sdkVersion: string }): Promise<ServerTraits> {
  const described = openapiSchema.safeParse(await optional(http, { method: "GET", path: "/openapi.json" }));
  const config = clientConfigSchema.catch({}).parse(await optional(http, { method: "POST", path: "/api/v1/client/config", json: { sdk_version: sdkVersion } }) ?? {});
  const found = described.success ? fromDescription(described.data) : hosted;
  const protobuf = wire === "auto" ? found.protobuf : wire === "protobuf";
  return {
    ...found,
    protobuf,
    // A self-hosted server that takes protobuf takes it compressed; the hosted one says so.
    zstd: protobuf && (described.success || config.proto_compress_fwdbwd === true),
    maxData: config.fwdbwd_max_chunk_len ?? 1024,
    maxBytes: config.fwdbwd_max_chunk_bytes_count ?? 5_000_000,
  };
}

function fromDescription({ paths, components }: z.infer<typeof openapiSchema>): Pick<ServerTraits, "dedup" | "keepsOrder" | "protobuf" | "clipsGradient"> {
  const has = (schema: string, property: string): boolean => components.schemas[schema]?.properties?.[property] !== undefined;
  return {
    dedup: has("OptimStepRequest", "seq_id"),
    keepsOrder: false,
    // A JSON-only server describes the body; one that reads both forms reads it by hand and describes none.
    protobuf: paths["/api/v1/forward_backward"]?.post?.requestBody === undefined,
    clipsGradient: has("AdamParams", "grad_clip_norm"),
  };
}

/** The JSON of an answer, or null where the server does not know the path. */
async function optional(http: Http, call: { method: "GET" | "POST"; path: string; json?: unknown }): Promise<unknown> {
  try {
    const { body } = await http.call({ ...call, safety: "repeatable" });
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof TinkerError && error.fault === "rejected" && error.status !== 401 && error.status !== 403)) return null;
    throw error;
  }
}
