import sharp from "sharp";
import { UserError } from "../../util/errors.js";
import { RandomStream, seedFrom } from "../../util/random.js";
import { drawAnatomy, greys, posed, siteOf, type Pose } from "./anatomy.js";
import { Canvas, norm, sceneUnits, type Ellipse } from "./canvas.js";
import type { Count, Density, Kind, Modality } from "./facts.js";
import type { Scene } from "./scene.js";

export const difficulties = ["easy", "normal", "hard"] as const;
export type Difficulty = (typeof difficulties)[number];

export interface DrawOptions {
  /** Pixels a side, 32 to 1024; 64 unless told. */
  readonly size?: number;
  readonly difficulty?: Difficulty;
}

/** `noise` scales the modality's noise, `contrast` the lesion's difference from its organ. */
const looks: { readonly [D in Difficulty]: { readonly noise: number; readonly contrast: number } } = {
  easy: { noise: 0.5, contrast: 1.15 },
  normal: { noise: 1, contrast: 1 },
  hard: { noise: 2, contrast: 0.7 },
};

/** Radii in scene units; the calibration disc lies half-way. */
const radii = { smaller: 2.6, disc: 3.6, larger: 4.6 } as const;

/** 8-bit grey pixels, row by row, `[size·size]`. The same scene and options give the same bytes. */
export function drawScene(scene: Scene, options: DrawOptions = {}): Uint8Array {
  const { size = sceneUnits, difficulty = "normal" } = options;
  if (!Number.isInteger(size) || size < 32 || size > 1024)
    throw new UserError(`A phantom cannot be drawn with ${size} pixels a side: give a whole number from 32 to 1024.`);
  const { facts } = scene;
  const { noise, contrast } = looks[difficulty];
  const rng = new RandomStream(seedFrom("phantom layout", scene.layout));
  const pose: Pose = { dx: 3 * rng.uniform() - 1.5, dy: 3 * rng.uniform() - 1.5, scale: 0.95 + 0.1 * rng.uniform() };
  const canvas = new Canvas(size, greys[facts.modality].air);
  drawAnatomy(canvas, facts.modality, facts.region, pose);
  drawLesions(canvas, scene, pose, contrast, rng);
  drawDistractors(canvas, scene, rng);
  applyLook(canvas, facts.modality, noise, rng);
  return canvas.toBytes();
}

/** An 8-bit grey PNG. */
export async function encodePng(pixels: Uint8Array, size: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 1 } })
    .toColourspace("b-w")
    .png({ compressionLevel: 6 })
    .toBuffer();
}

/** Offsets of lesions from their common centre, in distances between neighbours. */
const arrangements: { readonly [C in Count]: readonly (readonly [number, number])[] } = {
  one: [[0, 0]],
  two: [[-0.5, 0], [0.5, 0]],
  three: [[0, -0.577], [-0.5, 0.289], [0.5, 0.289]],
};

function drawLesions(canvas: Canvas, scene: Scene, pose: Pose, contrast: number, rng: RandomStream): void {
  const { modality, region, side, zone, kind, count, size, density } = scene.facts;
  const site = posed(siteOf(region, side, zone), pose);
  const radius = radii[size] * (0.96 + 0.08 * rng.uniform());
  const tissue = region === "chest" ? greys[modality].lung : greys[modality].organ;
  if (kind === "effusion") {
    // Fluid lies at the bottom of the lung with a level surface.
    const height = size === "larger" ? 15 : 7;
    const bottom = { x: site.x, y: site.y, rx: site.rx, ry: site.ry + 2 };
    canvas.fill(bottom, site.y + site.ry + 2 - height, lesionValue(tissue, density, contrast));
    return;
  }
  // A long row of large lesions stays inside a narrow organ when it is tilted towards the organ's longer axis.
  const gap = 2 * radius + 1.2;
  const tilt = (site.ry > site.rx ? Math.PI / 2 : 0) + (rng.uniform() - 0.5) * 0.7;
  const flip = rng.uniform() < 0.5 ? 1 : -1;
  const slack = count === "one" ? 0.3 : 0.1;
  const cx = site.x + (rng.uniform() - 0.5) * 2 * slack * site.rx;
  const cy = site.y + (rng.uniform() - 0.5) * 2 * slack * site.ry;
  for (const [ox, oy] of arrangements[count]) {
    const x = cx + gap * (ox * Math.cos(tilt) - flip * oy * Math.sin(tilt));
    const y = cy + gap * (ox * Math.sin(tilt) + flip * oy * Math.cos(tilt));
    drawLesion(canvas, kind, { x, y, rx: radius, ry: radius }, lesionValue(tissue, density, contrast));
  }
}

function lesionValue(tissue: number, density: Density, contrast: number): number {
  return density === "bright" ? tissue + 0.42 * contrast : Math.max(0, tissue - 0.32 * contrast);
}

/** Mass: a filled disc. Cyst: a rim around the tissue's own grey. Calcification: a hard, jagged cross. */
function drawLesion(canvas: Canvas, kind: Exclude<Kind, "effusion">, e: Ellipse, value: number): void {
  switch (kind) {
    case "mass":
      canvas.ellipse(e, value, 1);
      break;
    case "cyst":
      canvas.ring(e, value, 0.28 * e.rx + 0.5, 0.6);
      break;
    case "calcification": {
      const reach = 0.75 * e.rx;
      const hard = Math.min(1, value + 0.3);
      canvas.line(e.x - reach, e.y - reach, e.x + reach, e.y + reach, hard, 0.9);
      canvas.line(e.x - reach, e.y + reach, e.x + reach, e.y - reach, hard, 0.9);
      break;
    }
  }
}

function drawDistractors(canvas: Canvas, scene: Scene, rng: RandomStream): void {
  const discX = scene.discCorner === "bottom-left" ? 4.8 : 59.2;
  canvas.ellipse({ x: discX, y: 59.2, rx: radii.disc + 0.9, ry: radii.disc + 0.9 }, 0, 0.6);
  canvas.ellipse({ x: discX, y: 59.2, rx: radii.disc, ry: radii.disc }, 1, 0.6);
  for (const distractor of scene.distractors) {
    // Each is as likely on either side, so that none tells where the lesion is.
    const mirror = rng.uniform() < 0.5;
    const u = rng.uniform();
    const x = (value: number): number => (mirror ? 64 - value : value);
    switch (distractor) {
      case "lead":
        canvas.line(x(0), 8 + 10 * u, x(6 + 3 * u), 30 + 6 * u, 0.85, 0.9);
        canvas.ellipse({ x: x(6 + 3 * u), y: 30 + 6 * u, rx: 1.5, ry: 1.5 }, 0.95, 0.6);
        break;
      case "plate":
        canvas.rectangle(Math.min(x(1.5), x(6)), 1.5, Math.max(x(1.5), x(6)), 4, 0.9);
        canvas.rectangle(Math.min(x(1.5), x(3)), 4, Math.max(x(1.5), x(3)), 7, 0.9);
        break;
      case "vessel":
        canvas.line(x(33), 34 + 4 * u, x(38 + 4 * u), 33, 0.75, 0.8);
        canvas.line(x(38 + 4 * u), 33, x(44 + 4 * u), 31 + 3 * u, 0.75, 0.6);
        break;
    }
  }
}

/** What the scanner adds: resolution, field of view, shading and noise. */
function applyLook(canvas: Canvas, modality: Modality, noise: number, rng: RandomStream): void {
  switch (modality) {
    case "X-ray": {
      // Projection: soft, light grain, exposure that falls off to one edge, the full square exposed.
      canvas.blur(0.18);
      const slope = (rng.uniform() - 0.5) * 0.1;
      canvas.map((v, x) => v * (1 + slope * ((x - 32) / 32)) + 0.018 * noise * quickNormal(rng));
      break;
    }
    case "CT": {
      // Sharp, coarse white noise, a round field of view, the couch as a bright arc.
      canvas.map((v, x, y) => {
        const r = norm(x - 32, y - 32);
        const corner = Math.abs(x - 32) > 21 && y > 53;
        if (r > 33.5 && !corner) return 0;
        return v + 0.045 * noise * quickNormal(rng);
      });
      break;
    }
    case "MRI": {
      // Lower resolution, coil shading from one end, Rician noise and a faint ghost along the phase direction.
      canvas.blur(0.22);
      const fall = 0.25 + 0.15 * rng.uniform();
      const fromTop = rng.uniform() < 0.5;
      const phase = rng.uniform() * 2 * Math.PI;
      canvas.map((v, _x, y) => {
        const t = (fromTop ? 64 - y : y) / 64;
        const shaded = v * (1 - fall / 2 + fall * t) + 0.02 * Math.sin(phase + 1.6 * y);
        return norm(shaded + 0.03 * noise * quickNormal(rng), 0.03 * noise * quickNormal(rng));
      });
      break;
    }
  }
}

/** Mean 0, variance 1: the sum of three 10-bit uniforms of one draw. Noise of a picture needs no tails and must be cheap. */
function quickNormal(rng: RandomStream): number {
  const bits = rng.nextUint32();
  return ((bits & 1023) + ((bits >>> 10) & 1023) + ((bits >>> 20) & 1023)) / 511.5 - 3;
}
