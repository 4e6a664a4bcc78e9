import type { FloatArray } from "./pack.js";

/** Named tensors in one flat buffer, so that an optimiser step is one loop and a graph input is a view. */
export class FlatTensors<A extends FloatArray = FloatArray> {
  private readonly offsets = new Map<string, { readonly offset: number; readonly size: number }>();
  readonly flat: A;

  constructor(
    readonly shapes: ReadonlyMap<string, readonly number[]>,
    allocate: (length: number) => A,
  ) {
    let offset = 0;
    for (const [name, shape] of shapes) {
      const size = shape.reduce((a, b) => a * b, 1);
      this.offsets.set(name, { offset, size });
      offset += size;
    }
    this.flat = allocate(offset);
  }

  has(name: string): boolean {
    return this.offsets.has(name);
  }

  /** A view: writing to it changes the flat buffer. */
  view(name: string): A {
    const at = this.offsets.get(name);
    if (!at) throw new Error(`no tensor ${name}`);
    return this.flat.subarray(at.offset, at.offset + at.size) as A;
  }
}
