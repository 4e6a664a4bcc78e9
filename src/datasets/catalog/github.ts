/** Files of a GitHub repository: its tree by the API, contents from the raw host, git-LFS contents from the media host. */
import { z } from "zod";
import { UserError } from "../../util/errors.js";
import { bytesFrom, jsonFrom, parsed, type Source } from "./source.js";
import type { Listing, RemoteFile } from "./types.js";

const treeSchema = z.object({
  sha: z.string(),
  truncated: z.boolean().optional(),
  tree: z.array(z.object({ path: z.string(), type: z.string(), sha: z.string(), size: z.number().optional() })),
});

/** A file in the tree; `sha` is git's name of what the repository holds: the content, or its LFS pointer. */
export interface TreeFile {
  readonly path: string;
  readonly sha: string;
  readonly size: number | null;
}

export interface GithubRepository {
  /** `owner/name` */
  readonly name: string;
  readonly branch: string;
}

/** Every file of the branch. */
export async function githubTree(source: Source, { name, branch }: GithubRepository): Promise<{ revision: string; files: TreeFile[] }> {
  const url = `${source.hosts.githubApi}/repos/${name}/git/trees/${branch}?recursive=1`;
  const { value } = await jsonFrom(source, url);
  const tree = parsed(treeSchema, value, url);
  if (tree.truncated) throw new UserError(`${url} is cut short by the server; the repository has grown too large to list`);
  return { revision: tree.sha, files: tree.tree.filter(({ type }) => type === "blob").map(({ path, sha, size }) => ({ path, sha, size: size ?? null })) };
}

/** Where and how the given files are to be had. Small ones are read at once: they may be LFS pointers. */
export async function githubListing(source: Source, repository: GithubRepository, revision: string, files: readonly TreeFile[]): Promise<Listing> {
  const found: RemoteFile[] = [];
  for (const file of files) found.push((file.size === null || file.size < 1024 ? await throughPointer(source, repository, file) : null) ?? plain(source, repository, file));
  return { source: `https://github.com/${repository.name}`, revision, files: found };
}

function plain(source: Source, { name, branch }: GithubRepository, { path, size, sha }: TreeFile): RemoteFile {
  return { path, url: `${source.hosts.githubRaw}/${name}/${branch}/${encoded(path)}`, size, checksum: { algorithm: "git-sha1", value: sha } };
}

async function throughPointer(source: Source, repository: GithubRepository, file: TreeFile): Promise<RemoteFile | null> {
  const { bytes } = await bytesFrom(source, plain(source, repository, file).url);
  const pointer = parsePointer(bytes.toString("utf8"));
  if (pointer === null) return null;
  const url = `${source.hosts.githubMedia}/${repository.name}/${repository.branch}/${encoded(file.path)}`;
  return { path: file.path, url, size: pointer.size, checksum: { algorithm: "sha256", value: pointer.sha256 } };
}

/** The pointer file that git-LFS keeps in a repository in place of a content. */
export function parsePointer(text: string): { readonly sha256: string; readonly size: number } | null {
  if (!text.startsWith("version https://git-lfs.github.com/spec/")) return null;
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text);
  const size = /^size (\d+)$/m.exec(text);
  return oid && size ? { sha256: oid[1], size: Number(size[1]) } : null;
}

function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
