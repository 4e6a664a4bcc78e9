import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as the server saw it. */
export interface SeenRequest {
  readonly model: string;
  /** Text of the system and the first user message: names the question, whatever was said after it. */
  readonly question: string;
  /** All text of all messages. */
  readonly text: string;
  readonly images: readonly string[];
  readonly format: string | null;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | null;
  /** How many requests with this question came before. */
  readonly earlier: number;
}

/** What the server does with a request. */
export type Action =
  | { readonly reply: string; readonly finish?: string; readonly refusal?: string; readonly usage?: readonly [prompt: number, completion: number] | null; readonly headers?: Readonly<Record<string, string>>; readonly delayMs?: number }
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly broken: "hang" | "reset" | "half-body" | "hang-in-body" };

export interface ScriptedLlm {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Largest number of requests that were open at a time. */
  readonly mostOpen: () => number;
  /** Requests of each question that were answered with a reply. */
  readonly repliesByQuestion: ReadonlyMap<string, number>;
  script: (request: SeenRequest) => Action | Promise<Action>;
  close(): Promise<void>;
}

/** A chat endpoint on loopback that does what its script says. */
export async function startScriptedLlm(script: ScriptedLlm["script"], port = 0): Promise<ScriptedLlm> {
  const seen: SeenRequest[] = [];
  const repliesByQuestion = new Map<string, number>();
  const count = new Map<string, number>();
  let open = 0;
  let most = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = readRequest(await bodyOf(request), request, count);
    seen.push(one);
    const action = await scripted.script(one);
    if ("broken" in action) {
      breakOff(action.broken, request, response);
      return;
    }
    if ("status" in action) {
      response.writeHead(action.status, { "content-type": "application/json", ...action.headers });
      response.end(typeof action.body === "string" ? action.body : JSON.stringify(action.body ?? { error: { message: `scripted ${action.status}` } }));
      return;
    }
    repliesByQuestion.set(one.question, (repliesByQuestion.get(one.question) ?? 0) + 1);
    if (action.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, action.delayMs));
    const [prompt, completion] = action.usage ?? [100, 20];
    const usage = action.usage === null ? {} : { usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion } };
    const message = { role: "assistant", content: action.reply, refusal: action.refusal ?? null };
    response.writeHead(200, { "content-type": "application/json", ...action.headers });
    response.end(JSON.stringify({ id: "x", object: "chat.completion", model: one.model, choices: [{ index: 0, finish_reason: action.finish ?? "stop", message }], ...usage }));
  };
  const server = createServer((request, response) => {
    most = Math.max(most, ++open);
    response.on("close", () => open--);
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: bound } = server.address() as AddressInfo;
  const scripted: ScriptedLlm = {
    url: `http://127.0.0.1:${bound}/v1`,
    seen,
    mostOpen: () => most,
    repliesByQuestion,
    script,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return scripted;
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
}

interface Message {
  readonly role: string;
  readonly content: string | readonly { readonly type: string; readonly text?: string; readonly image_url?: { readonly url: string } }[];
}

function readRequest(body: Record<string, unknown>, request: IncomingMessage, count: Map<string, number>): SeenRequest {
  const messages = body.messages as Message[];
  const textOf = ({ content }: Message): string => (typeof content === "string" ? content : content.map(({ text = "" }) => text).join(""));
  const until = messages.findIndex(({ role }) => role === "user") + 1;
  const question = messages.slice(0, until).map(textOf).join("\n");
  const earlier = count.get(question) ?? 0;
  count.set(question, earlier + 1);
  const format = (body.response_format as { type?: string } | undefined)?.type ?? null;
  return {
    model: String(body.model),
    question,
    text: messages.map(textOf).join("\n"),
    images: messages.flatMap(({ content }) => (typeof content === "string" ? [] : content.flatMap((part) => (part.image_url ? [part.image_url.url] : [])))),
    format,
    body,
    authorization: request.headers.authorization ?? null,
    earlier,
  };
}

function breakOff(how: "hang" | "reset" | "half-body" | "hang-in-body", request: IncomingMessage, response: ServerResponse): void {
  if (how === "hang") return;
  if (how === "reset") {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"id":"x","choices":[{"index":0,"message":{"role":"assi');
  if (how === "half-body") response.end();
}

/** The steps of the chain that a request of the LLM judge asks about. */
export function askedSteps({ question }: SeenRequest): string[] {
  return Object.values(askedCase(question).student_steps);
}

export interface AskedCase {
  readonly question: string;
  readonly correct_answer: string;
  readonly expert_reasoning: string;
  readonly student_steps: Readonly<Record<string, string>>;
}

export function askedCase(text: string): AskedCase {
  const from = text.indexOf('{\n "question"');
  const to = text.indexOf("\n}\n", from);
  return JSON.parse(text.slice(from, to + 2)) as AskedCase;
}

/** Marks as the judge's prompt asks for them; `valid[k]` says that step k+1 is aligned. */
export function marks(valid: readonly boolean[]): string {
  return JSON.stringify(Object.fromEntries(valid.map((v, k) => [`step${k + 1}`, { alignment: v ? 1 : 0, contribution: 0 }])));
}
