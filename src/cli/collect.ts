/** Parser of an option that may be given several times; not there where it is never given. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
