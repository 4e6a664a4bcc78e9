import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import sharp from "sharp";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { messageOf, UserError } from "../../util/errors.js";
import { isRecord } from "../../util/json-file.js";
import type { DicomReader, DicomSource } from "./pictures.js";
import { orderSeries, pickFrames } from "./series.js";

/** An image in the imported data set. */
export interface StoredImage {
  /** Absolute path. */
  readonly path: string;
  /** What a DICOM file's header says, from the reader's allow-list. */
  readonly dicom?: Readonly<Record<string, unknown>>;
}

export interface ImageStoreOptions {
  /** Folder of the data set; images go to `images/` in it. */
  readonly out: string;
  /** Folders in which relative names are looked up, in order. */
  readonly roots: readonly string[];
  /** Hard links where the file system allows, else copies. */
  readonly link: boolean;
  readonly dicom: DicomReader;
  /** Told once for each DICOM file whose picture has, or may have, text burned in. */
  readonly onBurnedIn: (place: string, burnedIn: string) => void;
}

/** Removes what an earlier run that was killed has left half-written. */
export function clearUnfinished(out: string): void {
  for (const dir of [out, join(out, "images")]) {
    if (!existsSync(dir)) continue;
    for (const name of readdirSync(dir)) if (/\.tmp-\d+$/.test(name)) rmSync(join(dir, name), { force: true });
  }
}

const extensions: Readonly<Record<string, string>> = { jpeg: "jpg", png: "png", webp: "webp", gif: "gif", tiff: "tiff", heif: "avif", svg: "svg" };

/**
 * Images by their content: a file's name is a hash of its bytes, so the same picture is stored once, a second run finds
 * what the first has written, and no name of the user's is carried over.
 */
export class ImageStore {
  private readonly known = new Map<string, Promise<StoredImage>>();
  private readonly folder: string;

  constructor(private readonly options: ImageStoreOptions) {
    this.folder = join(options.out, "images");
  }

  /**
   * @param value a path, a data URL, bytes, or Hugging Face's `{bytes, path}`. @param frame from 1, for several frames.
   * @throws UserError for what is missing or cannot be decoded.
   */
  async add(value: unknown, frame: number | null): Promise<StoredImage> {
    const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (one instanceof Uint8Array) return this.store(one, "the image", frame, null);
    if (typeof one === "string") return /^data:/i.test(one) ? this.store(fromDataUrl(one), "the image", frame, null) : this.addPath(one, frame);
    if (isRecord(one)) {
      if (one.bytes instanceof Uint8Array) return this.store(one.bytes, typeof one.path === "string" ? `the image ${JSON.stringify(basename(one.path))}` : "the image", frame, null);
      if (typeof one.path === "string") return this.addPath(one.path, frame);
    }
    if (Array.isArray(one)) throw new UserError(`it has ${one.length} images; an example has one. Name the column of the one to use with --map image=COLUMN`);
    throw new UserError("its image is neither a path, nor bytes, nor {bytes, path}");
  }

  /** Already decoded pixels, 8-bit RGB. */
  async addPixels(picture: { readonly width: number; readonly height: number; readonly data: Uint8Array }, dicom: Readonly<Record<string, unknown>>): Promise<StoredImage> {
    const { width, height, data } = picture;
    const grey = data.every((v, i) => v === data[i - (i % 3)]);
    const raw = sharp(data, { raw: { width, height, channels: 3 } });
    const png = await (grey ? raw.toColourspace("b-w") : raw).png({ compressionLevel: 6 }).toBuffer();
    return { path: this.keep(png, "png", null), dicom };
  }

  private addPath(name: string, frame: number | null): Promise<StoredImage> {
    const key = `${frame ?? ""}\n${name}`;
    let found = this.known.get(key);
    if (found === undefined) {
      found = this.readPath(name, frame);
      this.known.set(key, found);
    }
    return found;
  }

  private async readPath(name: string, frame: number | null): Promise<StoredImage> {
    if (/^https?:\/\//i.test(name)) throw new UserError(`its image is the address ${name}; download it, and name the file`);
    const roots = this.options.roots;
    const tried = isAbsolute(name) ? [name, ...roots.map((root) => join(root, basename(name)))] : roots.map((root) => join(root, name));
    const path = tried.find((candidate) => existsSync(candidate));
    if (path === undefined) throw new UserError(`there is no image ${tried.join(", nor ")}; put it there, correct the name, or give its folder with --images`);
    if (statSync(path).isDirectory()) return this.addSeries(path, frame);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw new UserError(`cannot read the image ${path}: ${messageOf(error)}`);
    }
    return this.store(bytes, path, frame, path);
  }

  private async addSeries(folder: string, frame: number | null): Promise<StoredImage> {
    const files = readdirSync(folder).sort().map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
    const { series } = orderSeries(files, this.options.dicom);
    if (series.length !== 1) throw new UserError(`the folder ${folder} holds ${series.length} DICOM series; name a folder with one, or a file`);
    const [{ slices }] = series;
    if (frame !== null && frame > slices.length) throw new UserError(`the series in ${folder} has ${slices.length} frames; there is no frame ${frame}`);
    const [slice] = frame === null ? pickFrames(slices, "middle") : [slices[frame - 1]];
    return this.store(readFileSync(slice.path), slice.path, slice.frame + 1, null);
  }

  private async store(bytes: Uint8Array, place: string, frame: number | null, source: string | null): Promise<StoredImage> {
    if (this.options.dicom.isDicom(bytes)) return this.storeDicom(this.options.dicom.open(bytes, place), place, frame ?? 1);
    if (frame !== null && frame > 1) throw new UserError(`${place}: a frame is named, and it is no DICOM file`);
    let format: string;
    try {
      const image = sharp(bytes, { failOn: "error", limitInputPixels: 16384 * 16384 });
      ({ format } = await image.metadata());
      // Decodes all of it, to find what is cut off.
      await image.raw().toBuffer();
    } catch (error) {
      throw new UserError(`${place} cannot be decoded as an image (${messageOf(error).split("\n", 1)[0]}); copy it again, or convert it to PNG or JPEG`);
    }
    return { path: this.keep(bytes, extensions[format] ?? format, source) };
  }

  private async storeDicom(file: DicomSource, place: string, frame: number): Promise<StoredImage> {
    const picture = await file.picture(frame - 1);
    if (file.attributes.burnedIn === "yes" || file.attributes.burnedIn === "likely") this.options.onBurnedIn(place, file.attributes.burnedIn);
    return this.addPixels(picture, { ...file.attributes, frame });
  }

  /** Absolute path of the file that holds these bytes. @param source a file with just these bytes, to link to. */
  private keep(bytes: Uint8Array, extension: string, source: string | null): string {
    const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 20);
    const path = join(this.folder, `${hash}.${extension}`);
    if (existsSync(path)) return path;
    if (this.options.link && source !== null) {
      try {
        mkdirSync(this.folder, { recursive: true });
        linkSync(source, path);
        return path;
      } catch {
        // Another file system, or one without links: a copy does.
      }
    }
    writeFileAtomic(path, bytes);
    return path;
  }
}

function fromDataUrl(url: string): Uint8Array {
  const match = /^data:[^,]*;base64,([A-Za-z0-9+/=\s]+)$/i.exec(url);
  if (!match) throw new UserError("its image is a data URL that is not base64");
  return Buffer.from(match[1], "base64");
}
