export type Severity = "error" | "warning" | "note";

/** Every check, with its severity and what it means for people. */
export const checks = {
  "unreadable row": ["error", "the row cannot be understood, or its question or answer is empty"],
  "duplicate id": ["error", "two rows of a file have the same id"],
  "missing image": ["error", "there is no such file"],
  "unreadable image": ["error", "the file cannot be decoded"],
  "same question across parts": ["error", "the same question about the same image stands in two parts (train and test)"],
  "same image across parts": ["warning", "two parts share an image, byte by byte"],
  "near image across parts": ["warning", "two parts share an image that was encoded anew or resized"],
  "duplicate question": ["warning", "the same question about the same image twice in a part, with the same answer"],
  "contradicting answers": ["warning", "the same question about the same image twice in a part, with other answers"],
  "duplicate image": ["note", "the same image under two names in a part"],
  "near image": ["note", "an image twice in a part, encoded anew or resized"],
  "blank image": ["warning", "all pixels are alike"],
  "answer in question": ["warning", "the answer stands in the question, and the question offers no choice"],
  "empty reasoning": ["error", "gold reasoning without a sentence"],
  "answer not in reasoning": ["warning", "gold reasoning that does not mention the answer"],
} as const satisfies Record<string, readonly [Severity, string]>;
export type CheckName = keyof typeof checks;

export interface Finding {
  readonly check: CheckName;
  readonly severity: Severity;
  /** Files and rows that it is about. */
  readonly places: readonly string[];
  readonly message: string;
}

export function finding(check: CheckName, places: readonly string[], message: string): Finding {
  return { check, severity: checks[check][0], places, message };
}
