import { readFailure } from "../../corefile/read_failure.ts";
import { MAX_CONFIG_BYTES, readRegularFile, requireRegular } from "../../sys/regular_file.ts";
import {
  KUBE_DNS_FILES,
  type KubeDnsConfig,
  NO_KUBE_DNS_CONFIG,
  parseKubeDnsConfig,
} from "./kube_dns_config.ts";
import type { TemplateOptions } from "../options.ts";

/** The directory is read-only, but perhaps not the file. */
const IN_PLACE_CODES = ["EACCES", "EPERM", "EROFS", "EBUSY"];

/** Access to template, config map and target. */
export interface ConfigFiles {
  read(path: string): Promise<string>;
  isDirectory(path: string): Promise<boolean>;
  write(path: string, text: string): Promise<void>;
}

/** The files of this machine. */
export const denoConfigFiles: ConfigFiles = {
  async read(path) {
    const bytes = await readRegularFile(path, MAX_CONFIG_BYTES);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new Error("it is not UTF-8 text");
    }
  },
  isDirectory: (path) => Deno.stat(path).then((stat) => stat.isDirectory, () => false),
  write: (path, text) => writeAtomically(path, text, denoSteps),
};

/** Steps of writing a file. */
export const denoSteps = {
  realPath: (path: string): Promise<string> => Deno.realPath(path),
  create: (path: string, text: string): Promise<void> =>
    Deno.writeTextFile(path, text, { createNew: true, mode: 0o644 }),
  rename: (from: string, to: string): Promise<void> => Deno.rename(from, to),
  async overwrite(path: string, text: string): Promise<void> {
    requireRegular(await Deno.stat(path), Infinity);
    using file = await Deno.open(path, { write: true });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.truncate(bytes.length);
  },
  remove: (path: string): Promise<void> => Deno.remove(path),
};

/** Replaces a file, or overwrites one mounted alone, whose directory forbids that. */
export async function writeAtomically(
  path: string,
  text: string,
  steps: typeof denoSteps,
): Promise<void> {
  const target = await steps.realPath(path).catch(() => path);
  const slash = target.lastIndexOf("/") + 1;
  const beside = `${target.slice(0, slash)}.${target.slice(slash)}.${Deno.pid}.tmp`;
  try {
    // Process ids are reused.
    await steps.remove(beside).catch(() => {});
    await steps.create(beside, text);
    await steps.rename(beside, target);
  } catch (error) {
    await steps.remove(beside).catch(() => {});
    // After other errors, such as a full disk, overwriting would truncate the file.
    if (!IN_PLACE_CODES.includes(codeOf(error))) throw error;
    try {
      await steps.overwrite(target, text);
    } catch (second) {
      throw new Error(`${readFailure(error)}, and in place: ${readFailure(second)}`);
    }
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "EACCES";
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Text, or the reason for its absence. */
export type Found = { text: string } | { why: string; absent: boolean };

/** Sources of a Corefile. */
export interface Inputs {
  readonly base: Found;
  readonly config: Readonly<Record<typeof KUBE_DNS_FILES[number], Found>> | null;
}

/** Reads a file. */
export async function findFile(path: string, files: Pick<ConfigFiles, "read">): Promise<Found> {
  try {
    return { text: await files.read(path) };
  } catch (error) {
    return { why: readFailure(error), absent: error instanceof Deno.errors.NotFound };
  }
}

/** Reads template and config map. */
export async function readInputs(
  { baseFile, configDirectory }: TemplateOptions,
  files: Omit<ConfigFiles, "write">,
): Promise<Inputs> {
  const base = await findFile(baseFile, files);
  if (!await files.isDirectory(configDirectory)) return { base, config: null };
  const find = (name: string) => findFile(`${configDirectory}/${name}`, files);
  const [stubDomains, upstreamNameservers] = await Promise.all([
    find("stubDomains"),
    find("upstreamNameservers"),
  ]);
  return { base, config: { stubDomains, upstreamNameservers } };
}

/** The config map, or null and its faults. */
export function readKubeDns(
  found: Inputs["config"],
  { configDirectory, configRequired }: TemplateOptions,
): { config: KubeDnsConfig | null; faults: string[] } {
  if (found === null) {
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
