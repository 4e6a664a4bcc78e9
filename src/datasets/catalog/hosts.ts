import { UserError } from "../../util/errors.js";

/** Where each kind of source answers, without a slash at the end. */
export interface Hosts {
  readonly hub: string;
  readonly osfApi: string;
  readonly githubApi: string;
  readonly githubRaw: string;
  readonly githubMedia: string;
}

const variables: Readonly<Record<keyof Hosts, readonly [variable: string, usual: string]>> = {
  hub: ["HF_ENDPOINT", "https://huggingface.co"],
  osfApi: ["BREAKWATER_OSF_API", "https://api.osf.io/v2"],
  githubApi: ["BREAKWATER_GITHUB_API", "https://api.github.com"],
  githubRaw: ["BREAKWATER_GITHUB_RAW", "https://raw.githubusercontent.com"],
  githubMedia: ["BREAKWATER_GITHUB_MEDIA", "https://media.githubusercontent.com/media"],
};

/** The usual hosts, or the mirrors that the environment names. @throws UserError naming a variable that holds no URL. */
export function hostsFrom(environment: Readonly<Record<string, string | undefined>>): Hosts {
  const one = (key: keyof Hosts): string => {
    const [variable, usual] = variables[key];
    const value = environment[variable]?.trim() || usual;
    let url: URL;
    try {
      url = new URL(value);
    } catch {
      throw new UserError(`${variable}: ${JSON.stringify(value)} is no URL; give one such as ${usual}, or unset it`);
    }
    if (!/^https?:$/.test(url.protocol)) throw new UserError(`${variable}: ${JSON.stringify(value)} is neither http nor https`);
    if (url.username || url.password) throw new UserError(`${variable}: leave user name and password out of the URL`);
    return value.replace(/\/+$/, "");
  };
  return { hub: one("hub"), osfApi: one("osfApi"), githubApi: one("githubApi"), githubRaw: one("githubRaw"), githubMedia: one("githubMedia") };
}
