import { readFailure } from "../../corefile/read_failure.ts";
import { MAX_CONFIG_BYTES, readRegularFile, requireRegular } from "../../sys/regular_file.ts";

/** Errors of a directory that refuses a new file, though the target itself may be writable. */
const IN_PLACE_CODES = ["EACCES", "EPERM", "EROFS", "EBUSY"];

/** Access to the files that a Corefile is made from, and the one that it becomes. */
export interface ConfigFiles {
  read(path: string): Promise<string>;
  isDirectory(path: string): Promise<boolean>;
  write(path: string, text: string): Promise<void>;
}

export interface WriteSteps {
  realPath(path: string): Promise<string>;
  create(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  overwrite(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

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

/** Replaces a file, or overwrites it if its directory does not allow that (a file mounted alone). */
export async function writeAtomically(
  path: string,
  text: string,
  steps: WriteSteps,
): Promise<void> {
  // Replaces the file behind a link, not the link.
  const target = await steps.realPath(path).catch(() => path);
  const slash = target.lastIndexOf("/") + 1;
  const beside = `${target.slice(0, slash)}.${target.slice(slash)}.${Deno.pid}.tmp`;
  try {
    // Process ids are reused, in a container at each start.
    await steps.remove(beside).catch(() => {});
    await steps.create(beside, text);
    await steps.rename(beside, target);
  } catch (error) {
    await steps.remove(beside).catch(() => {});
    // After any other error, such as a full disk, overwriting would leave half of a file.
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
