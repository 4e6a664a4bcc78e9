import { InvalidArgumentError } from "commander";

/** An option's parser: a whole number of at least `least`. */
export function atLeast(least: number): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text) || Number(text) < least) throw new InvalidArgumentError(`Give a whole number from ${least}.`);
    return Number(text);
  };
}
