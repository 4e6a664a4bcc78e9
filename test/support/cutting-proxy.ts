/** Between a client and a server: passes everything on, and cuts the connection where it is told to. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class CuttingProxy {
  /** Paths of requests that were passed on and whose answers were thrown away. */
  readonly cut: string[] = [];
  private readonly pending = new Map<string, ("before" | "after")[]>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async to(target: string): Promise<CuttingProxy> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        void (async () => {
          const path = request.url ?? "";
          const how = proxy.pending.get(path)?.shift();
          if (how === "before") {
            proxy.cut.push(`${path} before`);
            request.socket.destroy();
            return;
          }
          const { method = "GET" } = request;
          const headers = { "content-type": request.headers["content-type"] ?? "application/json" };
          const answer = await fetch(`${target}${path}`, { method, headers, body: method === "POST" ? Buffer.concat(chunks) : undefined });
          const body = Buffer.from(await answer.arrayBuffer());
          if (how === "after") {
            proxy.cut.push(`${path} after`);
            request.socket.destroy();
            return;
          }
          response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" }).end(body);
        })().catch(() => request.socket.destroy());
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const proxy = new CuttingProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return proxy;
  }

  /** Cuts the next request for a path: before the server hears of it, or after it has answered. */
  cutNext(path: string, how: "before" | "after"): void {
    this.pending.set(path, [...(this.pending.get(path) ?? []), how]);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
