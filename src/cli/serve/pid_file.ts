import type { Logger } from "../../control/log/logger.ts";
import { readRegularTextSync } from "../../sys/regular_file.ts";

/** More than a number and a line end take. */
const MAX_BYTES = 32;

/**
 * Writes the number of this process beside the file and renames it, so that no link is followed and
 * nobody reads half of it. As in CoreDNS, a file that cannot be written is an error in the log.
 */
export function writePidFile(path: string, { log }: Pick<Logger, "log">): void {
  const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const beside = `${path}.${random}.tmp`;
  try {
    Deno.writeTextFileSync(beside, `${Deno.pid}\n`, { createNew: true, mode: 0o644 });
    Deno.renameSync(beside, path);
  } catch (error) {
    log("error", `Cannot write the pid file "${path}": ${why(error)}`);
    try {
      Deno.removeSync(beside);
    } catch {
      // It was not made.
    }
  }
}

/** Removes the file if it names this process: another nodens may have written its own number. */
export function removePidFile(path: string): void {
  try {
    if (!Deno.lstatSync(path).isFile) return;
    if (Number(readRegularTextSync(path, MAX_BYTES)) === Deno.pid) Deno.removeSync(path);
  } catch {
    // Somebody else has removed it, or put something else there.
  }
}

function why(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return (error as Error).message.replace(/ \(os error \d+\).*$/, "");
}
