import type { z } from "zod";
import { UserError } from "../../util/errors.js";
import { firstIssue } from "../../util/first-issue.js";
import { plainUrl } from "./errors.js";
import type { Hosts } from "./hosts.js";
import { get, type HttpSettings } from "./http.js";
import { retried, type RetrySettings } from "./retry.js";

/** What it takes to ask a source. */
export interface Source {
  readonly hosts: Hosts;
  readonly http: HttpSettings;
  readonly retry: RetrySettings;
  readonly onRetry: (message: string) => void;
}

/** Largest listing or pointer read into memory. */
const mostBytes = 64 << 20;

/** A small body, whole. @throws UserError or StatusError. */
export async function bytesFrom(source: Source, url: string, headers: Readonly<Record<string, string>> = {}, accept: readonly number[] = [200]): Promise<{ bytes: Buffer; status: number; headers: Headers }> {
  return await retried(
    source.retry,
    plainUrl(url),
    async () => {
      const answer = await get(source.http, url, headers, accept);
      const parts: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of answer.chunks()) {
        parts.push(chunk);
        if ((bytes += chunk.length) > mostBytes) throw new UserError(`${plainUrl(url)} gives more than ${mostBytes} bytes where a short list was expected`);
      }
      return { bytes: Buffer.concat(parts), status: answer.status, headers: answer.headers };
    },
    source.onRetry,
  );
}

export async function jsonFrom(source: Source, url: string): Promise<{ value: unknown; headers: Headers }> {
  const { bytes, headers } = await bytesFrom(source, url, { accept: "application/json" });
  try {
    return { value: JSON.parse(bytes.toString("utf8")), headers };
  } catch {
    throw new UserError(`${plainUrl(url)} did not answer with JSON; the source has changed, or something on the way answered in its place`);
  }
}

/** Says which answer has not the form that is expected. */
export function parsed<T extends z.ZodType>(schema: T, value: unknown, url: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError(`${plainUrl(url)} answered in another form than expected (${firstIssue(result.error)}); the source has changed`);
}
