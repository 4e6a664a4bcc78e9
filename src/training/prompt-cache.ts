import type { Example, Prompt } from "../types.js";

/** Bytes of prepared images kept by default: some ten thousand small images, or a hundred large ones. */
const DEFAULT_BYTES = 256 * 2 ** 20;

/**
 * Prompts by example id, so that an epoch does not decode every image anew. The least recently used go first; how many
 * are kept changes no result.
 */
export class PromptCache {
  private readonly entries = new Map<string, Prompt>();
  private bytes = 0;

  constructor(
    private readonly make: (example: Example) => Promise<Prompt>,
    private readonly maxBytes = DEFAULT_BYTES,
  ) {}

  async get(example: Example): Promise<Prompt> {
    const known = this.entries.get(example.id);
    if (known !== undefined) {
      this.entries.delete(example.id);
      this.entries.set(example.id, known);
      return known;
    }
    const prompt = await this.make(example);
    if (!this.entries.has(example.id)) {
      this.entries.set(example.id, prompt);
      this.bytes += sizeOf(prompt);
    }
    for (const [id, oldest] of this.entries) {
      if (this.bytes <= this.maxBytes) break;
      this.entries.delete(id);
      this.bytes -= sizeOf(oldest);
    }
    return prompt;
  }
}

function sizeOf({ tokens, images }: Prompt): number {
  return 8 * tokens.length + images.reduce((sum, { patches }) => sum + patches.byteLength, 0);
}
