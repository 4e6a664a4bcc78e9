/** A square grey picture in scene units: 64 units a side whatever its pixels. Values about 0 (black) to 1 (white). */
export const sceneUnits = 64;

export interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
}

export class Canvas {
  /** `[size·size]`, row by row. */
  readonly values: Float32Array;
  private readonly unit: number;

  constructor(readonly size: number, background: number) {
    this.values = new Float32Array(size * size).fill(background);
    this.unit = size / sceneUnits;
  }

  /** Mixes `value` into every pixel by the coverage that `cover` gives for its centre (scene units), within the box. */
  private paint(x0: number, y0: number, x1: number, y1: number, value: number, cover: (x: number, y: number) => number): void {
    const { size, unit, values } = this;
    const left = Math.max(0, Math.floor(x0 * unit) - 1);
    const right = Math.min(size - 1, Math.ceil(x1 * unit) + 1);
    const top = Math.max(0, Math.floor(y0 * unit) - 1);
    const bottom = Math.min(size - 1, Math.ceil(y1 * unit) + 1);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const alpha = cover((column + 0.5) / unit, (row + 0.5) / unit);
        if (alpha <= 0) continue;
        const at = row * size + column;
        values[at] += Math.min(1, alpha) * (value - values[at]);
      }
    }
  }

  /** Filled ellipse whose border is `soft` units wide. Most of a picture is the inside of one: no root is taken there. */
  ellipse(e: Ellipse, value: number, soft = 1): void {
    const { size, unit, values } = this;
    const scale = Math.min(e.rx, e.ry);
    const inner = Math.max(0, 1 - (0.5 * soft) / scale) ** 2;
    const outer = (1 + (0.5 * soft) / scale) ** 2;
    const reach = Math.sqrt(outer);
    const bottom = Math.min(size - 1, Math.ceil((e.y + e.ry * reach) * unit));
    for (let row = Math.max(0, Math.floor((e.y - e.ry * reach) * unit)); row <= bottom; row++) {
      const v2 = (((row + 0.5) / unit - e.y) / e.ry) ** 2;
      if (v2 >= outer) continue;
      const half = e.rx * Math.sqrt(outer - v2);
      const right = Math.min(size - 1, Math.ceil((e.x + half) * unit));
      for (let column = Math.max(0, Math.floor((e.x - half) * unit)); column <= right; column++) {
        const u = ((column + 0.5) / unit - e.x) / e.rx;
        const r2 = u * u + v2;
        if (r2 >= outer) continue;
        const at = row * size + column;
        if (r2 <= inner) values[at] = value;
        else values[at] += Math.min(1, 0.5 + ((1 - Math.sqrt(r2)) * scale) / soft) * (value - values[at]);
      }
    }
  }

  /** The border of an ellipse, `width` units thick, inside it. */
  ring(e: Ellipse, value: number, width: number, soft = 1): void {
    const scale = Math.min(e.rx, e.ry);
    this.paint(e.x - e.rx - soft, e.y - e.ry - soft, e.x + e.rx + soft, e.y + e.ry + soft, value, (x, y) => {
      const r = norm((x - e.x) / e.rx, (y - e.y) / e.ry);
      const depth = (1 - r) * scale;
      return Math.min(0.5 + depth / soft, 0.5 + (width - depth) / soft);
    });
  }

  /** The part of an ellipse below the horizontal `level`: fluid in a cavity. */
  fill(e: Ellipse, level: number, value: number, soft = 1): void {
    const scale = Math.min(e.rx, e.ry);
    this.paint(e.x - e.rx, level - 1, e.x + e.rx, e.y + e.ry, value, (x, y) => {
      const r = norm((x - e.x) / e.rx, (y - e.y) / e.ry);
      return Math.min(0.5 + ((1 - r) * scale) / soft, 0.5 + (y - level) / soft);
    });
  }

  line(x0: number, y0: number, x1: number, y1: number, value: number, width: number): void {
    const dx = x1 - x0;
    const dy = y1 - y0;
    const length2 = dx * dx + dy * dy || 1;
    this.paint(Math.min(x0, x1) - width, Math.min(y0, y1) - width, Math.max(x0, x1) + width, Math.max(y0, y1) + width, value, (x, y) => {
      const t = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length2));
      return 0.5 + width / 2 - norm(x - x0 - t * dx, y - y0 - t * dy);
    });
  }

  rectangle(x0: number, y0: number, x1: number, y1: number, value: number): void {
    this.paint(x0, y0, x1, y1, value, (x, y) => 0.5 + Math.min(x - x0, x1 - x, y - y0, y1 - y));
  }

  /** Every pixel through `f(value, x, y)`, x and y in scene units. */
  map(f: (value: number, x: number, y: number) => number): void {
    const { size, unit, values } = this;
    for (let row = 0, at = 0; row < size; row++) {
      const y = (row + 0.5) / unit;
      for (let column = 0; column < size; column++, at++) values[at] = f(values[at], (column + 0.5) / unit, y);
    }
  }

  /** Separable [w, 1, w] blur, `w` in [0, 1]; a picture of 128 pixels is blurred over as many units as one of 64. */
  blur(w: number): void {
    const passes = Math.max(1, Math.round(this.unit * this.unit));
    for (let pass = 0; pass < passes; pass++) {
      this.blurAlong(w, 1, this.size);
      this.blurAlong(w, this.size, 1);
    }
  }

  private blurAlong(w: number, step: number, lineStep: number): void {
    const { size, values } = this;
    const share = 1 / (1 + 2 * w);
    for (let line = 0; line < size; line++) {
      let before = values[line * lineStep];
      for (let i = 0; i < size; i++) {
        const at = line * lineStep + i * step;
        const here = values[at];
        const after = i + 1 < size ? values[at + step] : here;
        values[at] = share * (here + w * (before + after));
        before = here;
      }
    }
  }

  /** 8-bit grey, clamped. */
  toBytes(): Uint8Array {
    // A clamped array rounds and clamps by itself.
    const bytes = new Uint8ClampedArray(this.values.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.values[i] * 255;
    return new Uint8Array(bytes.buffer);
  }
}

/** Math.hypot guards against overflow and costs ten times as much. */
export function norm(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}
