/** Listing of a data set repository on the Hugging Face hub, pinned to the commit that is newest now. */
import { z } from "zod";
import { UserError } from "../../util/errors.js";
import { StatusError } from "./errors.js";
import { jsonFrom, parsed, type Source } from "./source.js";
import type { Listing, RemoteFile } from "./types.js";

const revisionAnswer = z.object({ sha: z.string() });
const treeAnswer = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.number().optional(),
    oid: z.string().optional(),
    /** Files in LFS (or its successor) have the SHA-256 of their content here. */
    lfs: z.object({ oid: z.string(), size: z.number() }).optional(),
  }),
);

/** The repository's files that `wanted` takes. @throws UserError where it is gated, gone, or has none of them. */
export async function listHub(source: Source, repository: string, wanted: (path: string) => boolean): Promise<Listing> {
  const { hub } = source.hosts;
  const page = `${hub}/datasets/${repository}`;
  try {
    const { value } = await jsonFrom(source, `${hub}/api/datasets/${repository}/revision/main`);
    const { sha } = parsed(revisionAnswer, value, page);
    const files: RemoteFile[] = [];
    let next: string | null = `${hub}/api/datasets/${repository}/tree/${sha}?recursive=true`;
    while (next !== null) {
      const answer = await jsonFrom(source, next);
      for (const entry of parsed(treeAnswer, answer.value, page)) {
        if (entry.type !== "file" || !wanted(entry.path)) continue;
        files.push({
          path: entry.path,
          url: `${page}/resolve/${sha}/${entry.path.split("/").map(encodeURIComponent).join("/")}`,
          size: entry.lfs?.size ?? entry.size ?? null,
          checksum: entry.lfs ? { algorithm: "sha256", value: entry.lfs.oid } : entry.oid ? { algorithm: "git-sha1", value: entry.oid } : null,
        });
      }
      next = nextPage(answer.headers, next);
    }
    if (files.length === 0) throw new UserError(`${page} has none of the files that are looked for; it must have been changed since. Get them by hand (docs/data.md says where they go).`);
    return { source: page, revision: sha, files };
  } catch (error) {
    throw error instanceof StatusError && (error.status === 401 || error.status === 403) ? refused(error, source, page) : error;
  }
}

/** What a gated repository's 401 or 403 means for the user. */
export function refused(error: StatusError, { http }: Source, page: string): UserError {
  const how = http.token === null
    ? "set HF_TOKEN to a token of your account (with read rights)"
    : "HF_TOKEN is set, but its account has not accepted the conditions, or the token lacks read rights";
  return new UserError(`${page}: access refused (${error.status}). Accept the conditions on that page with your account, and ${how}; then run the same command again.`);
}

/** The `next` link of a paged answer. */
function nextPage(headers: Headers, from: string): string | null {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get("link") ?? "");
  return link === null ? null : new URL(link[1], from).href;
}
