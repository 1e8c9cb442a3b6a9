import { readFailure } from "../../corefile/read_failure.ts";
import type { ConfigFiles } from "./config_files.ts";
import {
  KUBE_DNS_FILES,
  type KubeDnsConfig,
  NO_KUBE_DNS_CONFIG,
  parseKubeDnsConfig,
} from "./kube_dns_config.ts";
import type { TemplateOptions } from "./options.ts";

export type Found = { text: string } | { why: string; absent: boolean };

/** The files that a Corefile is made from. */
export interface Inputs {
  readonly base: Found;
  /** Files of the kube-dns config map; null if its directory does not exist. */
  readonly config: Readonly<Record<typeof KUBE_DNS_FILES[number], Found>> | null;
}

export async function findFile(path: string, files: Pick<ConfigFiles, "read">): Promise<Found> {
  try {
    return { text: await files.read(path) };
  } catch (error) {
    return { why: readFailure(error), absent: error instanceof Deno.errors.NotFound };
  }
}

export async function readInputs(
  { baseFile, configDirectory }: TemplateOptions,
  files: Omit<ConfigFiles, "write">,
): Promise<Inputs> {
  const base = await findFile(baseFile, files);
  if (!await files.isDirectory(configDirectory)) return { base, config: null };
  const [stubDomains, upstreamNameservers] = await Promise.all(
    KUBE_DNS_FILES.map((name) => findFile(`${configDirectory}/${name}`, files)),
  );
  return {
    base,
    config: { stubDomains: stubDomains!, upstreamNameservers: upstreamNameservers! },
  };
}

/** Content of the config map, or null and its faults. */
export function readKubeDns(
  found: Inputs["config"],
  { configDirectory, configRequired }: TemplateOptions,
): { config: KubeDnsConfig | null; faults: string[] } {
  if (found === null) {
    // An optional volume is an empty directory; without any, no config map was requested.
    if (!configRequired) return { config: NO_KUBE_DNS_CONFIG, faults: [] };
    const fault = `Cannot read "${configDirectory}": there is no such directory (mount the config` +
      " map kube-dns there, or omit -kubednscm)";
    return { config: null, faults: [fault] };
  }
  const unreadable: string[] = [];
  const textOf = (name: typeof KUBE_DNS_FILES[number]) => {
    const file = found[name];
    if ("text" in file) return file.text;
    if (!file.absent) unreadable.push(`${configDirectory}/${name}: cannot be read: ${file.why}`);
    return null;
  };
  const [stubDomains, upstreamNameservers] = [textOf("stubDomains"), textOf("upstreamNameservers")];
  const texts = { stubDomains, upstreamNameservers };
  const { config, faults } = parseKubeDnsConfig(texts, configDirectory);
  return { config: unreadable.length > 0 ? null : config, faults: [...unreadable, ...faults] };
}
