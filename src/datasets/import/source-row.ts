/** A row of a user's file, or why there is none; `place` says where in the file: "line 12", "row 3". */
export type SourceRow =
  | { readonly place: string; readonly row: Readonly<Record<string, unknown>> }
  | { readonly place: string; readonly error: string };
