import type { FloatArray } from "./pack.js";

/** Named tensors in one flat buffer, so that an optimiser step is one loop and a graph input is a view. */
export class FlatTensors<A extends FloatArray = FloatArray> {
  private readonly views = new Map<string, A>();
  readonly flat: A;

  constructor(
    readonly shapes: ReadonlyMap<string, readonly number[]>,
    allocate: (length: number) => A,
  ) {
    const sizes = [...shapes].map(([name, shape]) => ({ name, size: shape.reduce((a, b) => a * b, 1) }));
    this.flat = allocate(sizes.reduce((sum, { size }) => sum + size, 0));
    let offset = 0;
    for (const { name, size } of sizes) {
      this.views.set(name, this.flat.subarray(offset, offset + size) as A);
      offset += size;
    }
  }

  has(name: string): boolean {
    return this.views.has(name);
  }

  /** A view: writing to it changes the flat buffer. The same object every time. */
  view(name: string): A {
    const view = this.views.get(name);
    if (!view) throw new Error(`no tensor ${name}`);
    return view;
  }
}
