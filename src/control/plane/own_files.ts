import { type FileShares, shareFiles } from "../../io/file_shares.ts";
import { openLibc } from "../../sys/libc.ts";
import { raiseFileLimit } from "../../sys/limits.ts";
import type { DriverKind } from "./messages.ts";

/**
 * What is shared out without FFI, where the limit cannot be asked for: the runtime has raised the
 * soft limit to the hard one, which is no lower than this on systems in use.
 */
const UNKNOWN_LIMIT = 4096;

/** Raises this process's limit of open files as far as it may, and shares it out. */
export function shareOwnFiles(
  driver: DriverKind,
  users: { planes?: number; listeners?: number } = {},
): FileShares {
  const limit = driver === "linux" ? raiseFileLimit(openLibc()) : UNKNOWN_LIMIT;
  return shareFiles(limit, users);
}
