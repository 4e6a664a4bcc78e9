/** Opens an engine on a server: finds out what the server is, makes the model, measures what it does with a batch. */
import { UserError } from "../../util/errors.js";
import { ImageFiles } from "./chunks.js";
import { TinkerClient } from "./client.js";
import { TinkerError } from "./errors.js";
import { readModelFacts } from "./facts.js";
import type { Reduction } from "./losses.js";
import { readManifest } from "./manifest.js";
import type { TinkerEngineOptions } from "./options.js";
import { Passes } from "./passes.js";
import { measureReduction } from "./probe.js";
import { Sampler } from "./sampling.js";
import { SavedWeights } from "./saving.js";
import { TinkerSession, type Start } from "./session.js";
import { TinkerEngine, type ReferencePlace } from "./tinker-engine.js";

const sdkVersion = "0.38.0";
/** What servers were found to do, by address and model: it does not change while this process runs. */
const measured = new Map<string, Promise<Reduction>>();

/** @throws UserError where there is no such server or it does not serve the model. */
export async function createTinkerEngine(options: TinkerEngineOptions): Promise<TinkerEngine> {
  const { loraRank: rank, seed, log = () => undefined } = options;
  checkUrl("engine.baseUrl", options.baseUrl);
  if (options.referenceUrl !== undefined) checkUrl("engine.tinker.referenceUrl", options.referenceUrl);
  const facts = readModelFacts(options.model);
  const from = readManifest(options.model);
  try {
    const client = await connect("engine.baseUrl", options.baseUrl, options);
    const served = await servedModel(client, options.baseModel ?? from?.baseModel);
    if (from !== null && from.loraRank !== rank) {
      throw new UserError(`${options.model} was saved with adapters of rank ${from.loraRank}, engine.lora.rank asks for ${rank}: set it to ${from.loraRank}`);
    }
    const start: Start = { baseModel: served.name, rank, seed, weights: from?.state ?? null };
    const session = new TinkerSession(client);
    const images = new ImageFiles();
    const passes = new Passes(session, facts.imageToken, images);
    const reduction = await reductionOf(options, session, passes, start);
    const maxSequenceTokens = options.maxSequenceTokens ?? served.context ?? facts.maxPositions;
    if (maxSequenceTokens === null) throw new UserError(`neither the server nor ${options.model} says how long a sequence may be: set engine.tinker.maxSequenceTokens`);
    return new TinkerEngine({
      ...{ session, passes, start, facts, reduction, maxSequenceTokens, log },
      reference: await openReference(options, { session, passes }, served.name, (other) => new Passes(other, facts.imageToken, images)),
      model: await session.create(start, { optimizer: false }),
      sampler: new Sampler(client, { maxInFlight: options.maxInFlight ?? 64, groupSeeds: options.groupSeeds ?? "own", endTokens: facts.endTokens, imageToken: facts.imageToken }, images),
      saving: new SavedWeights(session, options.model, { download: options.download ?? true, log }),
      loss: options.loss ?? "exact",
    });
  } catch (error) {
    throw explainedOpening("engine.baseUrl", options.baseUrl, error, rank);
  }
}

/** @throws UserError that names the key where nobody answers. */
async function connect(key: string, baseUrl: string, options: TinkerEngineOptions): Promise<TinkerClient> {
  const { apiKey, log = () => undefined } = options;
  try {
    return await TinkerClient.connect({
      ...{ baseUrl, apiKey, sdkVersion, timeoutSeconds: 120, wire: options.wire ?? "auto" },
      patienceSeconds: options.patienceSeconds ?? 600,
      pollSeconds: options.pollSeconds ?? 60,
      onRetry: (what) => log(`${what}: trying again`),
    });
  } catch (error) {
    throw explainedOpening(key, baseUrl, error, options.loraRank);
  }
}

function explainedOpening(key: string, baseUrl: string, error: unknown, rank: number): unknown {
  if (!(error instanceof TinkerError)) return error;
  const refused = error.status === 401 || error.status === 403 ? " Set TINKER_API_KEY." : "";
  const full = rank === 0 && error.fault === "failed" ? " This server trains adapters only: set engine.trainable to lora." : "";
  return new UserError(`${key} ${baseUrl}: ${error.message}.${refused}${full}`, { cause: error });
}

function checkUrl(key: string, baseUrl: string): void {
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) throw new UserError(`${key} ${baseUrl}: give the server's address, like http://localhost:8000`);
  const { username, password } = new URL(baseUrl);
  // The address is written into the run's folder.
  if (username !== "" || password !== "") throw new UserError(`${key}: an address without user and password; the key comes from TINKER_API_KEY`);
}

/** Where the frozen start policy runs: beside the trained one, or on a server of its own. */
async function openReference(options: TinkerEngineOptions, same: ReferencePlace, name: string, passesOn: (session: TinkerSession) => Passes): Promise<ReferencePlace> {
  const { referenceUrl } = options;
  if (referenceUrl === undefined) return same;
  const client = await connect("engine.tinker.referenceUrl", referenceUrl, options);
  await servedModel(client, name);
  const session = new TinkerSession(client);
  return { session, passes: passesOn(session) };
}

async function servedModel(client: TinkerClient, wanted: string | undefined): Promise<{ name: string; context: number | null }> {
  const models = (await client.capabilities()).supported_models.flatMap(({ model_name: name, max_context_length: context }) => (name ? [{ name, context: context ?? null }] : []));
  const names = models.map(({ name }) => name).join(", ");
  if (wanted === undefined) {
    if (models.length === 1) return models[0];
    throw new UserError(`engine.baseModel: name the model to train; the server has ${names || "none"}`);
  }
  const found = models.find(({ name }) => name === wanted);
  if (found === undefined) throw new UserError(`engine.baseModel ${wanted} is not served; the server has ${names || "none"}`);
  return found;
}

async function reductionOf(options: TinkerEngineOptions, session: TinkerSession, passes: Passes, start: Start): Promise<Reduction> {
  const { reduction = "auto" } = options;
  if (reduction !== "auto") return reduction;
  const key = `${session.client.address} ${start.baseModel}`;
  let found = measured.get(key);
  if (found === undefined) {
    found = (async () => {
      const model = await session.create({ ...start, weights: null }, { optimizer: false });
      try {
        return await measureReduction(passes, model);
      } finally {
        await session.discard(model);
      }
    })();
    measured.set(key, found);
    found.catch(() => measured.delete(key));
  }
  return found;
}
