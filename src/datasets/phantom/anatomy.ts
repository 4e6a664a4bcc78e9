import type { Canvas, Ellipse } from "./canvas.js";
import type { Modality, Region, Side, Zone } from "./facts.js";

/** Grey values of what a modality shows, 0 to 1. */
export interface Greys {
  readonly air: number;
  readonly body: number;
  readonly bone: number;
  readonly lung: number;
  /** Liver, spleen, kidney, cerebrum and cerebellum. */
  readonly organ: number;
  readonly heart: number;
}

/** Bone: bright on X-ray and CT, black on MRI; tissue: flat on CT, rich on MRI. */
export const greys: { readonly [M in Modality]: Greys } = {
  "X-ray": { air: 0.16, body: 0.56, bone: 0.82, lung: 0.36, organ: 0.5, heart: 0.68 },
  CT: { air: 0.02, body: 0.36, bone: 0.97, lung: 0.3, organ: 0.47, heart: 0.5 },
  MRI: { air: 0.03, body: 0.62, bone: 0.08, lung: 0.32, organ: 0.42, heart: 0.55 },
};

/** How one body departs from the standard one: shift in units, scale about the centre. */
export interface Pose {
  readonly dx: number;
  readonly dy: number;
  readonly scale: number;
}

/** Standard place → place in this picture. */
export function posed(e: Ellipse, pose: Pose): Ellipse {
  return {
    x: 32 + (e.x - 32) * pose.scale + pose.dx,
    y: 32 + (e.y - 32) * pose.scale + pose.dy,
    rx: e.rx * pose.scale,
    ry: e.ry * pose.scale,
  };
}

const sites: { readonly [R in Region]: { readonly [S in Side]: { readonly [Z in Zone]: Ellipse } } } = {
  chest: {
    right: { upper: { x: 18, y: 21, rx: 11, ry: 12 }, lower: { x: 17, y: 43, rx: 12, ry: 12 } },
    left: { upper: { x: 46, y: 21, rx: 11, ry: 12 }, lower: { x: 48, y: 43, rx: 12, ry: 12 } },
  },
  abdomen: {
    right: { upper: { x: 19, y: 20, rx: 15, ry: 13 }, lower: { x: 18, y: 47, rx: 10.5, ry: 12 } },
    left: { upper: { x: 47, y: 19, rx: 11, ry: 11.5 }, lower: { x: 46, y: 47, rx: 10.5, ry: 12 } },
  },
  head: {
    right: { upper: { x: 19.5, y: 23, rx: 12, ry: 15 }, lower: { x: 21, y: 48, rx: 10.5, ry: 8.5 } },
    left: { upper: { x: 44.5, y: 23, rx: 12, ry: 15 }, lower: { x: 43, y: 48, rx: 10.5, ry: 8.5 } },
  },
};

/** The organ, or the part of it, that fills one quadrant of a region; the patient's right is on the picture's left. */
export function siteOf(region: Region, side: Side, zone: Zone): Ellipse {
  return sites[region][side][zone];
}

export function drawAnatomy(canvas: Canvas, modality: Modality, region: Region, pose: Pose): void {
  const g = greys[modality];
  const at = (x: number, y: number, rx: number, ry: number): Ellipse => posed({ x, y, rx, ry }, pose);
  const segment = (x0: number, y0: number, x1: number, y1: number, value: number, width: number): void => {
    const a = at(x0, y0, 1, 1);
    const b = at(x1, y1, 1, 1);
    canvas.line(a.x, a.y, b.x, b.y, value, width);
  };
  switch (region) {
    case "chest": {
      canvas.ellipse(at(32, 34, 30, 34), g.body, 2);
      // Shoulders and neck.
      canvas.ellipse(at(32, 2, 9, 10), g.body, 2);
      segment(7, 4, 28, 8, g.bone, 2);
      segment(57, 4, 36, 8, g.bone, 2);
      canvas.ellipse(at(18, 33, 12, 25), g.lung, 1.5);
      canvas.ellipse(at(46, 33, 12.5, 25), g.lung, 1.5);
      for (let y = 14; y <= 50; y += 9) {
        segment(8, y + 4, 27, y - 2, mix(g.lung, g.bone, 0.3), 1);
        segment(56, y + 4, 37, y - 2, mix(g.lung, g.bone, 0.3), 1);
      }
      canvas.ellipse(at(35, 44, 6.5, 9), g.heart, 1.5);
      segment(32, 6, 32, 62, g.bone, 3);
      break;
    }
    case "abdomen": {
      canvas.ellipse(at(32, 33, 30, 33), g.body, 2);
      canvas.ring(at(32, 33, 30, 33), mix(g.body, modality === "MRI" ? 1 : 0, 0.5), 2.5);
      for (const side of ["right", "left"] as const) {
        for (const zone of ["upper", "lower"] as const) {
          const organ = posed(siteOf("abdomen", side, zone), pose);
          canvas.ellipse(organ, g.organ, 1);
          canvas.ring(organ, mix(g.organ, g.air, 0.55), 1.2);
        }
      }
      for (let y = 8; y <= 58; y += 6) canvas.rectangle(...corners(at(32, y, 2.6, 2.2)), g.bone);
      // Pelvis.
      segment(14, 62, 28, 60, g.bone, 3);
      segment(50, 62, 36, 60, g.bone, 3);
      break;
    }
    case "head": {
      const skull = at(32, 31, 28, 30.5);
      canvas.ellipse(skull, modality === "MRI" ? 0.85 : g.body, 1);
      canvas.ellipse({ ...skull, rx: skull.rx - 1.2, ry: skull.ry - 1.2 }, g.bone, 1);
      canvas.ellipse({ ...skull, rx: skull.rx - 4, ry: skull.ry - 4 }, mix(g.body, g.air, 0.5), 1);
      for (const side of ["right", "left"] as const) {
        for (const zone of ["upper", "lower"] as const) canvas.ellipse(posed(siteOf("head", side, zone), pose), g.organ, 1);
      }
      segment(32, 6, 32, 38, mix(g.body, g.air, 0.7), 1.2);
      // Brain stem between the halves of the cerebellum.
      canvas.ellipse(at(32, 48, 2.5, 9), g.body, 1);
      break;
    }
  }
}

function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

function corners(e: Ellipse): [number, number, number, number] {
  return [e.x - e.rx, e.y - e.ry, e.x + e.rx, e.y + e.ry];
}
