import type { PreparedImage } from "../types.js";

/** Bytes of prepared images kept by default: some ten thousand small images, or a hundred large ones. */
const DEFAULT_BYTES = 256 * 2 ** 20;

interface Entry {
  readonly image: Promise<PreparedImage>;
  /** 0 until it is prepared. */
  bytes: number;
}

/**
 * Prepared images by path: several questions share one, and an epoch does not decode every image anew. The least
 * recently used go first; how many are kept changes no result.
 */
export class ImageCache {
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;

  constructor(
    private readonly prepare: (path: string) => Promise<PreparedImage>,
    private readonly maxBytes = DEFAULT_BYTES,
  ) {}

  /** Rejects as `prepare` does; a failure is not remembered. */
  async get(path: string): Promise<PreparedImage> {
    const known = this.entries.get(path);
    if (known !== undefined) {
      this.entries.delete(path);
      this.entries.set(path, known);
      return known.image;
    }
    const entry: Entry = { image: this.prepare(path), bytes: 0 };
    this.entries.set(path, entry);
    try {
      const image = await entry.image;
      if (this.entries.get(path) === entry) {
        entry.bytes = image.patches.byteLength;
        this.bytes += entry.bytes;
      }
      return image;
    } catch (error) {
      this.entries.delete(path);
      throw error;
    } finally {
      this.forget();
    }
  }

  private forget(): void {
    for (const [path, { bytes }] of this.entries) {
      if (this.bytes <= this.maxBytes) break;
      this.entries.delete(path);
      this.bytes -= bytes;
    }
  }
}
