/**
 * Stand-ins on loopback for the places that data sets come from: the hub's API and resolve addresses, the OSF's API,
 * GitHub's API, raw and media hosts, and a storage host of another origin that the first three redirect to.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Something going wrong with one request. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Breaks the connection after so many bytes of the body. */
  | { readonly cutAfter: number }
  /** Falls silent after so many bytes of the body. */
  | { readonly hangAfter: number }
  /** Turns one byte of the body. */
  | "corrupt"
  /** Sends the whole file although a part was asked for. */
  | "no ranges"
  /** Small pieces with pauses. */
  | "slow";

export interface Seen {
  readonly server: "front" | "storage";
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly authorization: string | null;
  /** Requests for this path before this one. */
  readonly earlier: number;
}

export type Files = Readonly<Record<string, Buffer>>;

export interface Content {
  /** `owner/name` → files; those in `lfs` are served by the storage. */
  readonly hub: Record<string, { files: Record<string, Buffer>; lfs: (path: string) => boolean; token?: string }>;
  /** Top-level files and folders of files of the OSF project. */
  readonly osf: { files: Record<string, Buffer>; folders: Record<string, Record<string, Buffer>> };
  /** `owner/name` → files; those in `lfs` are pointers in the repository. */
  readonly github: Record<string, { files: Record<string, Buffer>; lfs: (path: string) => boolean }>;
}

export const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
export const gitName = (data: Buffer): string => createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
export const pointer = (data: Buffer): Buffer => Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(data)}\nsize ${data.length}\n`);

export class DataSources {
  readonly seen: Seen[] = [];
  /** What goes wrong; called for every request. */
  fault: (request: Seen) => Fault | null = () => null;
  private readonly counts = new Map<string, number>();
  private readonly stored = new Map<string, Buffer>();
  /** What the OSF's listings have named. */
  private readonly listed = new Map<string, Buffer>();
  private readonly servers: Server[] = [];
  front = "";
  storage = "";

  constructor(readonly content: Content) {}

  async start(): Promise<this> {
    this.storage = await this.listen((request, response) => this.answer("storage", request, response));
    this.front = await this.listen((request, response) => this.answer("front", request, response));
    return this;
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** What makes the program ask here. */
  environment(): Record<string, string> {
    return {
      HF_ENDPOINT: this.front,
      BREAKWATER_OSF_API: `${this.front}/osf`,
      BREAKWATER_GITHUB_API: `${this.front}/api-github`,
      BREAKWATER_GITHUB_RAW: `${this.front}/raw`,
      BREAKWATER_GITHUB_MEDIA: `${this.front}/media`,
      BREAKWATER_RETRY_DELAY_MS: "5",
      BREAKWATER_STALL_MS: "3000",
    };
  }

  private listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(handler);
    this.servers.push(server);
    return new Promise((done) => server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));
  }

  private answer(server: Seen["server"], request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://x");
    const path = decodeURIComponent(url.pathname);
    const key = `${server} ${path}`;
    const earlier = this.counts.get(key) ?? 0;
    this.counts.set(key, earlier + 1);
    const header = (name: string): string | null => (request.headers[name] as string | undefined) ?? null;
    const seen: Seen = { server, path, range: header("range"), ifRange: header("if-range"), authorization: header("authorization"), earlier };
    this.seen.push(seen);
    const fault = this.fault(seen);
    if (fault !== null && typeof fault === "object" && "status" in fault) {
      response.writeHead(fault.status, fault.headers);
      response.end("no");
      return;
    }
    if (server === "storage") {
      const data = this.stored.get(path);
      // A signed address: without its query nothing is given.
      if (data === undefined || url.searchParams.get("signature") !== "very-secret") return void response.writeHead(403).end();
      return send(response, seen, data, `"${sha256(data).slice(0, 20)}"`, fault);
    }
    this.route(path, url, seen, response, fault);
  }

  private route(path: string, url: URL, seen: Seen, response: ServerResponse, fault: Fault | null): void {
    const json = (value: unknown, headers: Record<string, string> = {}): void => void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    const missing = (): void => void response.writeHead(404).end("not found");
    const parts = path.split("/").slice(1);
    if (path.startsWith("/api/datasets/") || path.startsWith("/datasets/")) {
      const at = parts[0] === "api" ? 2 : 1;
      const name = `${parts[at]}/${parts[at + 1]}`;
      const repository = this.content.hub[name];
      if (repository === undefined) return missing();
      if (repository.token !== undefined && seen.authorization !== `Bearer ${repository.token}` && parts[at + 2] === "resolve") return void response.writeHead(401).end();
      const sha = createHash("sha1").update(Object.entries(repository.files).map(([file, data]) => file + gitName(data)).join()).digest("hex");
      if (parts[at + 2] === "revision") return json({ sha });
      if (parts[at + 2] === "tree") {
        const cursor = Number(url.searchParams.get("cursor") ?? 0);
        const entries = Object.entries(repository.files).map(([file, data]) => ({
          type: "file", path: file, size: data.length, oid: repository.lfs(file) ? gitName(pointer(data)) : gitName(data),
          ...(repository.lfs(file) ? { lfs: { oid: sha256(data), size: data.length, pointerSize: 130 } } : {}),
        }));
        const rest: Record<string, string> = cursor + 2 < entries.length ? { link: `<${this.front}${url.pathname}?recursive=true&cursor=${cursor + 2}>; rel="next"` } : {};
        return json([{ type: "directory", path: "data", oid: "0", size: 0 }, ...entries.slice(cursor, cursor + 2)], rest);
      }
      const file = parts.slice(at + 4).join("/");
      const data = repository.files[file];
      if (parts[at + 3] !== sha || data === undefined) return missing();
      if (!repository.lfs(file)) return send(response, seen, data, `"${gitName(data)}"`, fault);
      return this.redirect(response, data, { "x-linked-etag": `"${sha256(data)}"`, "x-linked-size": String(data.length), "x-repo-commit": sha });
    }
    if (parts[0] === "osf") return this.osf(parts.slice(1), url, json, missing);
    if (parts[0] === "osf-download") {
      const data = this.listed.get(parts[1]);
      return data === undefined ? missing() : this.redirect(response, data, {});
    }
    if (parts[0] === "api-github") {
      const repository = this.content.github[`${parts[2]}/${parts[3]}`];
      if (repository === undefined || parts[4] !== "git") return missing();
      const held = (file: string): Buffer => (repository.lfs(file) ? pointer(repository.files[file]) : repository.files[file]);
      return json({ sha: "f".repeat(40), truncated: false, tree: Object.keys(repository.files).map((file) => ({ path: file, type: "blob", mode: "100644", sha: gitName(held(file)), size: held(file).length })) });
    }
    if (parts[0] === "raw" || parts[0] === "media") {
      const repository = this.content.github[`${parts[1]}/${parts[2]}`];
      const file = parts.slice(4).join("/");
      const data = repository?.files[file];
      if (repository === undefined || data === undefined) return missing();
      if (parts[0] === "media" && !repository.lfs(file)) return missing();
      const body = parts[0] === "raw" && repository.lfs(file) ? pointer(data) : data;
      return send(response, seen, body, `"${gitName(body)}"`, fault);
    }
    missing();
  }

  private osf(parts: string[], url: URL, json: (value: unknown) => void, missing: () => void): void {
    // nodes/89kps/files/osfstorage[/folder]
    if (parts[1] !== "89kps") return missing();
    const { files, folders } = this.content.osf;
    const entry = (kind: string, name: string, data: Buffer | null): (() => unknown) => () => ({
      attributes: { kind, name, size: data?.length ?? null, extra: { hashes: data === null ? {} : { md5: createHash("md5").update(data).digest("hex"), sha256: this.list(data) } } },
      links: data === null ? {} : { download: `${this.front}/osf-download/${sha256(data)}` },
      relationships: kind === "folder" ? { files: { links: { related: { href: `${this.front}/osf/nodes/89kps/files/osfstorage/${encodeURIComponent(name)}/` } } } } : {},
    });
    const folder = parts[4] ? folders[parts[4]] : null;
    if (folder === undefined) return missing();
    const all = folder === null
      ? [...Object.entries(files).map(([name, data]) => entry("file", name, data)), ...Object.keys(folders).map((name) => entry("folder", name, null))]
      : Object.entries(folder).map(([name, data]) => entry("file", name, data));
    const page = Number(url.searchParams.get("page") ?? 1);
    const size = Math.min(all.length > 50 ? 100 : 3, Number(url.searchParams.get("page[size]") ?? 10));
    const next = page * size < all.length ? `${this.front}${url.pathname}?page=${page + 1}&page%5Bsize%5D=${size}` : null;
    json({ data: all.slice((page - 1) * size, page * size).map((make) => make()), links: { next } });
  }

  private list(data: Buffer): string {
    const name = sha256(data);
    this.listed.set(name, data);
    return name;
  }

  private redirect(response: ServerResponse, data: Buffer, headers: Record<string, string>): void {
    const path = `/${sha256(data)}`;
    this.stored.set(path, data);
    response.writeHead(302, { location: `${this.storage}${path}?signature=very-secret`, ...headers }).end();
  }
}

/** A file with ranges, If-Range and an ETag, or what the fault makes of it. */
function send(response: ServerResponse, { range, ifRange }: Seen, data: Buffer, etag: string, fault: Fault | null): void {
  const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  const usable = asked !== null && fault !== "no ranges" && (ifRange === null || ifRange === etag);
  const start = usable ? Number(asked[1]) : 0;
  const end = usable && asked[2] !== "" ? Math.min(data.length, Number(asked[2]) + 1) : data.length;
  if (usable && start >= data.length) {
    response.writeHead(416, { "content-range": `bytes */${data.length}` }).end();
    return;
  }
  let body = Buffer.from(data.subarray(start, end));
  if (fault === "corrupt") body[body.length >> 1] ^= 1;
  response.writeHead(usable ? 206 : 200, {
    etag,
    "accept-ranges": "bytes",
    "content-length": body.length,
    ...(usable ? { "content-range": `bytes ${start}-${end - 1}/${data.length}` } : {}),
  });
  if (fault !== null && typeof fault === "object" && "cutAfter" in fault) {
    response.write(body.subarray(0, fault.cutAfter), () => response.socket?.destroy());
    return;
  }
  if (fault !== null && typeof fault === "object" && "hangAfter" in fault) {
    response.write(body.subarray(0, fault.hangAfter));
    return;
  }
  if (fault !== "slow") return void response.end(body);
  const piece = Math.max(1, Math.ceil(body.length / 20));
  const more = (): void => {
    if (response.destroyed) return;
    response.write(body.subarray(0, piece));
    body = body.subarray(piece);
    if (body.length === 0) response.end();
    else setTimeout(more, 15);
  };
  more();
}
