import { readFailure } from "../../corefile/read_failure.ts";
import { MAX_CONFIG_BYTES, readRegularFile, requireRegular } from "../../sys/regular_file.ts";

/** Why a file beside the target cannot be put in its place, though the target may be written. */
const IN_PLACE_CODES = ["EACCES", "EPERM", "EROFS", "EBUSY"];

/** The files that a Corefile is made from, and the one that it becomes. Tests hand in their own. */
export interface ConfigFiles {
  /** Text of a file. Throws `Deno.errors.NotFound` where there is none. */
  read(path: string): Promise<string>;
  isDirectory(path: string): Promise<boolean>;
  /** Writes a file so that whoever reads it meets the old text or the new one, where that can be. */
  write(path: string, text: string): Promise<void>;
}

/** Steps of writing a file, so that tests can let one of them fail. */
export interface WriteSteps {
  /** Path behind symbolic links; throws if there is nothing. */
  realPath(path: string): Promise<string>;
  /** Writes a file that is not there. */
  create(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Writes over what a file holds, without making another. */
  overwrite(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** The files of this machine. */
export const denoConfigFiles: ConfigFiles = {
  async read(path) {
    const bytes = await readRegularFile(path, MAX_CONFIG_BYTES);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new Error("it is no UTF-8 text");
    }
  },
  async isDirectory(path) {
    try {
      return (await Deno.stat(path)).isDirectory;
    } catch {
      return false;
    }
  },
  write: (path, text) => writeAtomically(path, text, denoSteps),
};

/** Writing on this machine. */
export const denoSteps: WriteSteps = {
  realPath: (path) => Deno.realPath(path),
  create: (path, text) => Deno.writeTextFile(path, text, { createNew: true, mode: 0o644 }),
  rename: (from, to) => Deno.rename(from, to),
  async overwrite(path, text) {
    requireRegular(await Deno.stat(path), Infinity);
    using file = await Deno.open(path, { write: true });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.truncate(bytes.length);
  },
  remove: (path) => Deno.remove(path),
};

/**
 * Writes a file beside the target and renames it. Where the directory does not allow that but the
 * file may be written (a file that is mounted alone), writes over its content instead.
 *
 * Throws an error that says what was tried.
 */
export async function writeAtomically(
  path: string,
  text: string,
  steps: WriteSteps,
): Promise<void> {
  // A link stays one: the file that it leads to is replaced.
  const target = await steps.realPath(path).catch(() => path);
  const slash = target.lastIndexOf("/") + 1;
  const beside = `${target.slice(0, slash)}.${target.slice(slash)}.${Deno.pid}.tmp`;
  try {
    // Process ids come again, in a container with each start.
    await steps.remove(beside).catch(() => {});
    await steps.create(beside, text);
    await steps.rename(beside, target);
  } catch (error) {
    await steps.remove(beside).catch(() => {});
    // Anything else, a full disk above all, would leave half of a file.
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
