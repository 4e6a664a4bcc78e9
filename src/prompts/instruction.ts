/** Tag that the reasoning stands in; Qwen3-VL has a special token <think>, so its prompts use <thinking>. */
export type ThinkTag = "think" | "thinking";

/** `none`: the bare question (a small model learns the format from examples); another text is taken as it is. */
export type Instruction = "none" | "short" | "full" | { readonly text: string };

/** What is asked after the question; `{tag}` in a text of one's own stands for the think tag. Empty for `none`. */
export function instructionText(instruction: Instruction, tag: ThinkTag): string {
  if (typeof instruction === "object") return instruction.text.replaceAll("{tag}", tag);
  switch (instruction) {
    case "none":
      return "";
    case "short":
      return `Reason in <${tag}></${tag}>, then answer in <answer></answer>.`;
    case "full":
      return [
        `Work through the question step by step between <${tag}> and </${tag}>, one sentence for each step: begin with the`,
        "kind of image and the region that it shows, go on to the findings with their place and side, and end with what",
        "follows from them. Then write the answer alone, as short as it can be, between <answer> and </answer>.",
      ].join(" ");
  }
}

/** A completion to imitate, in the layout that the prompts ask for. */
export function formatTarget(reasoning: string, answer: string, tag: ThinkTag): string {
  return `<${tag}>${reasoning}</${tag}><answer>${answer}</answer>`;
}
