import type { Logger } from "../../control/log/logger.ts";
import { readRegularTextSync } from "../../sys/regular_file.ts";

const MAX_BYTES = 32;

/** Writes the process id, not through links. As in CoreDNS, failures are only logged. */
export function writePidFile(path: string, { log }: Pick<Logger, "log">): void {
  const temporary = `${path}.${crypto.getRandomValues(new Uint8Array(8)).toHex()}.tmp`;
  try {
    Deno.writeTextFileSync(temporary, `${Deno.pid}\n`, { createNew: true, mode: 0o644 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    log("error", `Cannot write the pid file "${path}": ${reason(error)}`);
    try {
      Deno.removeSync(temporary);
    } catch {
      // It was not written.
    }
  }
}

/** Removes the file unless overwritten by another nodens. */
export function removePidFile(path: string): void {
  try {
    if (!Deno.lstatSync(path).isFile) return;
    if (Number(readRegularTextSync(path, MAX_BYTES)) === Deno.pid) Deno.removeSync(path);
  } catch {
    // Already removed or replaced.
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return (error as Error).message.replace(/ \(os error \d+\).*$/, "");
}
