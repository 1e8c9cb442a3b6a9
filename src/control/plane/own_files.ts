import { type FileShares, shareFiles } from "../../io/file_shares.ts";
import { openLibc } from "../../sys/libc.ts";
import { raiseFileLimit } from "../../sys/descriptor_limit.ts";
import type { DriverKind } from "./messages.ts";

/** Without FFI: raised by the runtime, at least this far. */
const UNKNOWN_LIMIT = 4096;

/** Raises and divides this process's limit of open files. */
export function shareOwnFiles(
  driver: DriverKind,
  users: { planes?: number; listeners?: number } = {},
): FileShares {
  return shareFiles(driver === "linux" ? raiseFileLimit(openLibc()) : UNKNOWN_LIMIT, users);
}
