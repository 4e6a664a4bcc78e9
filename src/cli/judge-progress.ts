import { accountText } from "../judges/account-text.js";
import type { Judge } from "../judges/judge.js";

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface JudgeProgress {
  readonly notice: (text: string) => void;
  readonly line: (status: "judged" | "unscored") => void;
  readonly watch: (judge: Judge) => void;
  readonly close: () => void;
}

/** What judging has cost so far: one line that is redrawn on a terminal, and once at the end. */
export function judgeProgress(output: Output): JudgeProgress {
  const live = output.isTTY === true;
  const counts = { judged: 0, unscored: 0 };
  let watched: Judge | null = null;
  let timer: NodeJS.Timeout | undefined;
  const text = (): string => {
    const account = watched?.account?.();
    const written = counts.judged + counts.unscored === 0 ? [] : [`${counts.judged + counts.unscored} chains written, ${counts.unscored} of them unscored`];
    return [...written, ...(account === undefined ? [] : [accountText(account)])].join(" · ");
  };
  const erase = (): void => void (live && output.write("\r\u001b[2K"));
  const draw = (): void => void (live && output.write(`\r\u001b[2K${text().slice(0, (output.columns ?? 80) - 1)}`));
  return {
    notice: (notice) => {
      erase();
      output.write(`breakwater: ${notice}\n`);
      draw();
    },
    line: (status) => void counts[status]++,
    watch: (judge) => {
      watched = judge;
      if (live) timer = setInterval(draw, 250);
    },
    close: () => {
      clearInterval(timer);
      erase();
      output.write(`breakwater: ${text()}\n`);
    },
  };
}
