/** Service manager's environment: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */

/** Reader of environment variables. */
export type ReadVariable = (name: string) => string | undefined;

const FIRST_DESCRIPTOR = 3;
const MAX_DESCRIPTORS = 1024;
/** Longer than a day means no watchdog. */
const MAX_WATCHDOG_USEC = 86_400_000_000;
const MAX_STATUS = 1000;

/** Handed-over descriptor. */
export type HandedDescriptor = ReturnType<typeof handedDescriptors>[number];

/** Descriptors for process `pid`; `name` is `FileDescriptorName=`, or "". Throws if invalid. */
export function handedDescriptors(read: ReadVariable, pid: number) {
  const [count, owner] = [read("LISTEN_FDS"), read("LISTEN_PID")];
  if (count === undefined || owner !== String(pid)) return [];
  if (!/^[0-9]{1,9}$/.test(count) || Number(count) > MAX_DESCRIPTORS) {
    throw new RangeError(
      `LISTEN_FDS: "${count}" is not a number of sockets (0 to ${MAX_DESCRIPTORS}); using none`,
    );
  }
  const names = (read("LISTEN_FDNAMES") ?? "").split(":");
  return Array.from({ length: Number(count) }, (_, i) => ({
    fd: FIRST_DESCRIPTOR + i,
    name: names[i] ?? "",
  }));
}

/** Watchdog period; null if none for process `pid`. Throws if invalid. */
export function watchdogPeriodMs(read: ReadVariable, pid: number): number | null {
  const [period, owner] = [read("WATCHDOG_USEC"), read("WATCHDOG_PID")];
  if (period === undefined || (owner !== undefined && owner !== String(pid))) return null;
  const usec = /^[0-9]{1,19}$/.test(period) ? Number(period) : 0;
  if (usec > MAX_WATCHDOG_USEC) return null;
  if (usec < 1000) throw new RangeError(`WATCHDOG_USEC: "${period}" is not a time in microseconds`);
  return usec / 1000;
}

/** For `STATUS=`: line feeds would start another variable. */
export function statusLine(text: string): string {
  const line = text.split(/[\r\n\0]+/).filter((part) => part !== "").join("; ");
  return line.length <= MAX_STATUS ? line : `${line.slice(0, MAX_STATUS - 1)}…`;
}

/** sd_notify(3) message. */
export function notification(variables: Record<string, string | number>): Uint8Array {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  return new TextEncoder().encode(lines.join(""));
}
