/**
 * Floating-point operations (2 per multiply-add) of one forward and backward pass over a batch, counting what the
 * training graph needs without padding: a prompt's prefix (all but its last token) and its image once, its G
 * completions after it. Per row of a Linear [out, in]: 2·out·in forward, twice that backward (input and weight).
 * Attention of q queries on k keys with h heads of width d: 4·q·k·h·d forward, twice that backward; masked halves of the
 * square are computed and counted. The last layer runs only keys and values for the prefix. Logits only for completions.
 * Norms, softmax, activations and the optimiser are not counted.
 */
export function trainFlops({ text, vision }, rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.prompt, [...(groups.get(row.prompt) ?? []), row.completion.length]);
  const D = text.width;
  const q = text.heads * text.headDim;
  const kv = 2 * text.keyHeads * text.headDim;
  const layer = 2 * D * (q + kv + q + 3 * text.mlpWidth);
  let total = 0;
  for (const [prompt, lengths] of groups) {
    const prefix = prompt.tokens.length - 1;
    const own = lengths.reduce((a, b) => a + b, 0);
    const ownScores = lengths.reduce((sum, T) => sum + T * (prefix + T), 0);
    let forward = text.layers * own * layer + (text.layers - 1) * prefix * layer + prefix * 2 * D * kv;
    forward += 4 * q * (text.layers * ownScores + (text.layers - 1) * prefix * prefix);
    forward += own * 2 * D * text.vocabulary;
    total += 3 * forward;
    for (const image of prompt.images) total += visionFlops(vision, image.grid.t * image.grid.h * image.grid.w);
  }
  return total;
}

function visionFlops(v, patches) {
  const W = v.width;
  const merged = W * v.merge ** 2;
  const blocks = v.depth * (patches * 2 * W * (4 * W + 2 * v.mlpWidth) + 4 * patches * patches * W);
  const mergers = (1 + v.deepstack.length) * (patches / v.merge ** 2) * 2 * merged * (merged + v.outWidth);
  // Patches and position weights are inputs: no gradient for them.
  const inputs = patches * 2 * W * (v.patchInputs + v.positionGrid ** 2);
  return 3 * (blocks + mergers) + 2 * inputs;
}
