/** What can be true of a phantom: nine slots of one value each, in the order in which a chain of reasoning states them. */

export const modalities = ["X-ray", "CT", "MRI"] as const;
export const regions = ["chest", "abdomen", "head"] as const;
/** The patient's side. Every view is frontal in the radiological convention: the patient's right is on the picture's left. */
export const sides = ["left", "right"] as const;
export const zones = ["upper", "lower"] as const;
export const organs = ["lung", "liver", "spleen", "kidney", "cerebrum", "cerebellum"] as const;
export const kinds = ["mass", "cyst", "calcification", "effusion"] as const;
export const counts = ["one", "two", "three"] as const;
/** Against the calibration disc that every picture holds. */
export const sizes = ["larger", "smaller"] as const;
/** Against the tissue around it; the word for it depends on the modality (`densityTerm`). */
export const densities = ["bright", "dark"] as const;

export type Modality = (typeof modalities)[number];
export type Region = (typeof regions)[number];
export type Side = (typeof sides)[number];
export type Zone = (typeof zones)[number];
export type Organ = (typeof organs)[number];
export type Kind = (typeof kinds)[number];
export type Count = (typeof counts)[number];
export type Size = (typeof sizes)[number];
export type Density = (typeof densities)[number];

export interface Facts {
  readonly modality: Modality;
  readonly region: Region;
  readonly side: Side;
  readonly zone: Zone;
  /** Follows from region, side and zone (`organAt`); a corrupted reading may still name another. */
  readonly organ: Organ;
  readonly kind: Kind;
  readonly count: Count;
  readonly size: Size;
  readonly density: Density;
}

export type Slot = keyof Facts;
export const slots = ["modality", "region", "side", "zone", "organ", "kind", "count", "size", "density"] as const satisfies readonly Slot[];

export const slotValues = {
  modality: modalities,
  region: regions,
  side: sides,
  zone: zones,
  organ: organs,
  kind: kinds,
  count: counts,
  size: sizes,
  density: densities,
} as const satisfies { readonly [S in Slot]: readonly Facts[S][] };

export function organAt(region: Region, side: Side, zone: Zone): Organ {
  switch (region) {
    case "chest":
      return "lung";
    case "abdomen":
      return zone === "lower" ? "kidney" : side === "right" ? "liver" : "spleen";
    case "head":
      return zone === "upper" ? "cerebrum" : "cerebellum";
  }
}

export function regionOf(organ: Organ): Region {
  switch (organ) {
    case "lung":
      return "chest";
    case "liver":
    case "spleen":
    case "kidney":
      return "abdomen";
    case "cerebrum":
    case "cerebellum":
      return "head";
  }
}

export const densityTerms: { readonly [M in Modality]: { readonly [D in Density]: string } } = {
  "X-ray": { bright: "radiopaque", dark: "radiolucent" },
  CT: { bright: "hyperdense", dark: "hypodense" },
  MRI: { bright: "hyperintense", dark: "hypointense" },
};

export function densityTerm(modality: Modality, density: Density): string {
  return densityTerms[modality][density];
}

export function kindsAt(region: Region, zone: Zone): readonly Kind[] {
  return region === "chest" && zone === "lower" ? kinds : ["mass", "cyst", "calcification"];
}

/** Calcium and fluid are never darker than what surrounds them here. */
export function densitiesOf(kind: Kind): readonly Density[] {
  return kind === "mass" || kind === "cyst" ? densities : ["bright"];
}

export function countsOf(kind: Kind): readonly Count[] {
  return kind === "effusion" ? ["one"] : counts;
}

/** All that a scene can be: 1,092 combinations. */
export function allFacts(): Facts[] {
  const out: Facts[] = [];
  for (const modality of modalities)
    for (const region of regions)
      for (const side of sides)
        for (const zone of zones)
          for (const kind of kindsAt(region, zone))
            for (const count of countsOf(kind))
              for (const size of sizes)
                for (const density of densitiesOf(kind))
                  out.push({ modality, region, side, zone, organ: organAt(region, side, zone), kind, count, size, density });
  return out;
}

/** The same text for the same facts, whatever the layout, noise and distractors. */
export function factsKey(facts: Facts): string {
  return slots.map((slot) => facts[slot]).join("|");
}
