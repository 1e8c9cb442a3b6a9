import { RLIMIT_NOFILE } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** Raises the soft limit of open files; returns it (Infinity if unknown). */
export function raiseFileLimit(libc: Libc): number {
  const limits = new BigUint64Array(2);
  const bytes = new Uint8Array(limits.buffer);
  if (libc.getrlimit(RLIMIT_NOFILE, bytes) < 0) return Infinity;
  const [soft, hard] = [limits[0]!, limits[1]!];
  if (soft >= hard) return Number(soft);
  limits[0] = hard;
  return Number(libc.setrlimit(RLIMIT_NOFILE, bytes) < 0 ? soft : hard);
}
