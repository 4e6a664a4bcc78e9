/** Servers of a few lines that give the answers they are told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

export type Reply = { readonly status?: number; readonly json: unknown } | "hang up";
export interface Seen {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Each path's replies in turn, the last again and again; `openapi` says which server it is. */
export async function serverOf(replies: Readonly<Record<string, readonly Reply[]>>, openapi?: unknown): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const asked = new Map<string, number>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = (request.url ?? "").replace("/api/v1/", "");
      seen.push({ path, headers: request.headers, body: Buffer.concat(chunks) });
      const count = asked.get(path) ?? 0;
      asked.set(path, count + 1);
      const known = replies[path] ?? (path === "/openapi.json" && openapi !== undefined ? [{ json: openapi }] : [{ status: 404, json: { detail: "Not Found" } }]);
      const reply = known[Math.min(count, known.length - 1)];
      if (reply === "hang up") request.socket.destroy();
      else response.writeHead(reply.status ?? 200, { "content-type": "application/json" }).end(JSON.stringify(reply.json));
    });
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const openapiOf = (seqId: boolean, json: boolean) => ({
  paths: { "/api/v1/forward_backward": { post: json ? { requestBody: {} } : {} } },
  components: { schemas: { OptimStepRequest: { properties: seqId ? { seq_id: {} } : {} }, AdamParams: { properties: {} } } },
});
/** Takes JSON and does not know repetitions, as SkyRL 0.3.0. */
export const oldServer = openapiOf(false, true);
/** Takes protobuf and knows them, as SkyRL's head. */
export const newServer = openapiOf(true, false);
