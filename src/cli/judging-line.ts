import { accountText } from "../judges/account-text.js";
import type { LlmAccount } from "../llm/types.js";

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface JudgingLine {
  readonly progress: (done: number, total: number) => void;
  /** Ends the line; what judging cost is said once. May be called again. */
  readonly close: () => void;
}

/** How far judging is and what it has cost: redrawn in place on a terminal, said once at the end. */
export function judgingLine(output: Output, account: () => LlmAccount | undefined): JudgingLine {
  const live = output.isTTY === true;
  let drawn = 0;
  let closed = false;
  return {
    progress: (done, total) => {
      if (!live || (done < total && performance.now() - drawn < 200)) return;
      drawn = performance.now();
      const cost = account();
      const text = `${done} of ${total} judged${cost === undefined ? "" : ` · ${accountText(cost)}`}`;
      output.write(`\r\u001b[2K${text.slice(0, (output.columns ?? 80) - 1)}`);
    },
    close: () => {
      if (closed) return;
      closed = true;
      const cost = account();
      if (live && drawn > 0) output.write("\r\u001b[2K");
      if (cost !== undefined) output.write(`breakwater: ${accountText(cost)}\n`);
    },
  };
}
