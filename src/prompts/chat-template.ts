import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/errors.js";
import { readJsonObject } from "../util/json-file.js";

export interface ChatTemplate {
  /** Jinja. */
  readonly text: string;
  /** Names it in messages. */
  readonly source: string;
  /** System message that the model's own code puts before a conversation that has none. */
  readonly system?: string;
}

const KEEP = "Use the files that came with the model.";

/** ChatML with InternVL's placeholder on a line of its own: what the model's own Python code writes. */
const INTERNVL_CHAT = `{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{- '<IMG_CONTEXT>\\n' -}}{%- else -%}{{- part['text'] -}}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;

/**
 * chat_template.jinja, or where older models keep it: chat_template.json, tokenizer_config.json. The original release of
 * InternVL (model type internvl_chat) writes its prompts in Python: its form is known here, its system message is read
 * from conversation.py.
 */
export function readChatTemplate(dir: string): ChatTemplate {
  const file = join(dir, "chat_template.jinja");
  if (existsSync(file)) return { text: readFileSync(file, "utf8"), source: file };
  const own = internVLChat(dir);
  if (own !== null) return own;
  for (const name of ["chat_template.json", "tokenizer_config.json"]) {
    const path = join(dir, name);
    if (!existsSync(path)) continue;
    const text = readJsonObject(path, KEEP).chat_template;
    if (typeof text === "string") return { text, source: `${path} (chat_template)` };
  }
  throw new UserError(`${dir} has no chat template (chat_template.jinja, or "chat_template" in tokenizer_config.json). ${KEEP}`);
}

function internVLChat(dir: string): ChatTemplate | null {
  const path = join(dir, "config.json");
  if (!existsSync(path)) return null;
  const { model_type: type, template } = readJsonObject(path, KEEP);
  if (type !== "internvl_chat") return null;
  const code = join(dir, "conversation.py");
  if (typeof template !== "string" || !existsSync(code)) {
    throw new UserError(`${dir} is InternVL's original release without its conversation.py or the "template" of config.json. ${KEEP}`);
  }
  const system = systemOf(readFileSync(code, "utf8"), template);
  if (system === null) throw new UserError(`${code} has no conversation named "${template}", which config.json asks for. ${KEEP}`);
  return { text: INTERNVL_CHAT, source: `${path} (template "${template}")`, system };
}

/** system_message of the Conversation called `name`; empty where it has none, `null` where there is no such one. */
function systemOf(code: string, name: string): string | null {
  const blocks = code.split(/\bConversation\(/).slice(1);
  const block = blocks.find((text) => /\bname\s*=\s*(['"])(.*?)\1/.exec(text)?.[2] === name);
  if (block === undefined) return null;
  return /\bsystem_message\s*=\s*(['"])(.*?)\1/.exec(block)?.[2] ?? "";
}
