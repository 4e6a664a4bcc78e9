/** What importing needs of the image stage; the command joins the two. */

export interface DicomSource {
  readonly attributes: { readonly frames: number; readonly burnedIn: string };
  /** Hash of the series' UID, and where in it the file stands. */
  readonly order: { readonly series: string; readonly instance: number | null; readonly position: number | null };
  /** 8-bit RGB of a frame, from 0. @throws UserError naming the file. */
  picture(frame: number): Promise<{ readonly width: number; readonly height: number; readonly data: Uint8Array }>;
}

export interface DicomReader {
  isDicom(bytes: Uint8Array): boolean;
  /** @param place names the file in messages. @throws UserError; `isNoPicture` tells those apart that hold none. */
  open(bytes: Uint8Array, place: string): DicomSource;
  isNoPicture(error: unknown): boolean;
}
