/**
 * Floating-point operations (2 per multiply-add) of one forward and backward pass over a batch, without padding. The
 * text of each row whole, as its tokens are counted (`whole`), or as the training graph runs it (`executed`): a prompt's
 * prefix (all but its last token) once, its completions after it. An image counts once a prompt in both.
 *
 * Per row of a Linear [out, in]: 2·out·in forward, twice that backward (input and weight). Attention of q queries on k
 * keys with h heads of width d: 4·q·k·h·d forward, twice that backward; masked halves of the square are computed and
 * counted. The last layer runs only keys and values for the prefix. Logits only for completions. Norms, softmax,
 * activations and the optimiser are not counted.
 */
export function trainFlops({ text, vision }, rows, count) {
  const groups = new Map();
  for (const row of rows) {
    const key = count === "executed" ? row.prompt : row;
    groups.set(key, { prompt: row.prompt, lengths: [...(groups.get(key)?.lengths ?? []), row.completion.length] });
  }
  const D = text.width;
  const q = text.heads * text.headDim;
  const kv = 2 * text.keyHeads * text.headDim;
  const layer = 2 * D * (q + kv + q + 3 * text.mlpWidth);
  let total = 0;
  for (const { prompt, lengths } of groups.values()) {
    const prefix = prompt.tokens.length - 1;
    const own = lengths.reduce((a, b) => a + b, 0);
    const ownScores = lengths.reduce((sum, T) => sum + T * (prefix + T), 0);
    let forward = text.layers * own * layer + (text.layers - 1) * prefix * layer + prefix * 2 * D * kv;
    forward += 4 * q * (text.layers * ownScores + (text.layers - 1) * prefix * prefix);
    forward += own * 2 * D * text.vocabulary;
    total += 3 * forward;
  }
  const images = [...new Set(rows.map(({ prompt }) => prompt))].flatMap((prompt) => prompt.images);
  return images.reduce((sum, { grid }) => sum + visionFlops(vision, grid.t * grid.h * grid.w), total);
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
