/** Listing of a project's storage on the Open Science Framework (API v2). */
import { z } from "zod";
import { UserError } from "../../util/errors.js";
import { jsonFrom, parsed, type Source } from "./source.js";
import type { Listing, RemoteFile } from "./types.js";

const entrySchema = z.object({
  attributes: z.object({
    kind: z.string(),
    name: z.string(),
    size: z.number().nullish(),
    extra: z.object({ hashes: z.object({ sha256: z.string().nullish(), md5: z.string().nullish() }).nullish() }).nullish(),
  }),
  links: z.object({ download: z.string().nullish() }),
  relationships: z.object({ files: z.object({ links: z.object({ related: z.object({ href: z.string() }) }) }).nullish() }).nullish(),
});
const pageSchema = z.object({ data: z.array(entrySchema), links: z.object({ next: z.string().nullish() }) });
type Entry = z.output<typeof entrySchema>;

export interface OsfWanted {
  readonly file: (name: string) => boolean;
  readonly folder: (name: string) => boolean;
}

/** Files at the top that are wanted, and all files in folders that are wanted, as `<folder>/<name>`. */
export async function listOsf(source: Source, project: string, wanted: OsfWanted): Promise<Listing> {
  const start = `${source.hosts.osfApi}/nodes/${project}/files/osfstorage/`;
  const files: RemoteFile[] = [];
  for (const entry of await entries(source, start)) {
    const { kind, name } = entry.attributes;
    if (kind === "file" && wanted.file(name)) files.push(remote(entry, name));
    const inside = entry.relationships?.files?.links.related.href;
    if (kind === "folder" && inside !== undefined && wanted.folder(name)) {
      for (const inner of await entries(source, inside)) {
        if (inner.attributes.kind === "file") files.push(remote(inner, `${name}/${inner.attributes.name}`));
      }
    }
  }
  if (files.length === 0) throw new UserError(`${start} has none of the files that are looked for; the project has changed`);
  return { source: `https://osf.io/${project}/`, revision: null, files };
}

async function entries(source: Source, href: string): Promise<Entry[]> {
  const found: Entry[] = [];
  const first = new URL(href);
  first.searchParams.set("page[size]", "100");
  for (let next: string | null = first.href; next !== null; ) {
    const { value } = await jsonFrom(source, next);
    const page: z.output<typeof pageSchema> = parsed(pageSchema, value, next);
    found.push(...page.data);
    next = page.links.next ?? null;
  }
  return found;
}

function remote({ attributes, links }: Entry, path: string): RemoteFile {
  const { sha256, md5 } = attributes.extra?.hashes ?? {};
  if (!links.download) throw new UserError(`The OSF names no download address for ${path}; the project has changed`);
  return {
    path,
    url: links.download,
    size: attributes.size ?? null,
    checksum: sha256 ? { algorithm: "sha256", value: sha256 } : md5 ? { algorithm: "md5", value: md5 } : null,
  };
}
