/**
 * What a service manager says in environment variables: where it takes notifications (sd_notify(3)),
 * how often it wants a sign of life (sd_watchdog_enabled(3)), and which descriptors it has opened
 * (sd_listen_fds(3)). Nothing here touches the machine.
 */

/** Reads an environment variable. */
export type ReadVariable = (name: string) => string | undefined;

/** First descriptor that is handed over (SD_LISTEN_FDS_START). */
const FIRST_DESCRIPTOR = 3;
/** Most descriptors that are taken; a socket unit with more is a mistake. */
const MAX_DESCRIPTORS = 1024;
/** Longest period of the watchdog, in microseconds; beyond a day it watches nothing. */
const MAX_WATCHDOG_USEC = 86_400_000_000;

/** A descriptor that this process was started with. */
export interface HandedDescriptor {
  fd: number;
  /** `FileDescriptorName=`, or the name of the socket unit; "" where there is none. */
  name: string;
}

/** Descriptors for this process; none if the variables are not there or meant for another one. */
export function handedDescriptors(read: ReadVariable, pid: number): HandedDescriptor[] {
  const [count, owner] = [read("LISTEN_FDS"), read("LISTEN_PID")];
  if (count === undefined || owner !== String(pid)) return [];
  if (!/^[0-9]{1,9}$/.test(count) || Number(count) > MAX_DESCRIPTORS) {
    throw new RangeError(
      `LISTEN_FDS: "${count}" is no number of sockets (0 to ${MAX_DESCRIPTORS}); none is taken`,
    );
  }
  const names = (read("LISTEN_FDNAMES") ?? "").split(":");
  return Array.from({ length: Number(count) }, (_, i) => ({
    fd: FIRST_DESCRIPTOR + i,
    name: names[i] ?? "",
  }));
}

/**
 * How often the watchdog wants a sign of life, in milliseconds, or null if it does not watch this
 * process. Throws if the variable cannot be read.
 */
export function watchdogPeriodMs(read: ReadVariable, pid: number): number | null {
  const [period, owner] = [read("WATCHDOG_USEC"), read("WATCHDOG_PID")];
  if (period === undefined || (owner !== undefined && owner !== String(pid))) return null;
  const usec = /^[0-9]{1,19}$/.test(period) ? Number(period) : 0;
  // The manager's way to say that there is no limit.
  if (usec > MAX_WATCHDOG_USEC) return null;
  if (usec < 1000) throw new RangeError(`WATCHDOG_USEC: "${period}" is no time in microseconds`);
  return usec / 1000;
}

/** Longest status that is sent; what is longer ends in "…". */
const MAX_STATUS = 1000;

/** One line of text for `STATUS=`: line feeds would begin another variable. */
export function statusLine(text: string): string {
  const line = text.split(/[\r\n\0]+/).filter((part) => part !== "").join("; ");
  return line.length <= MAX_STATUS ? line : `${line.slice(0, MAX_STATUS - 1)}…`;
}

/** A notification: one `NAME=value` a line (sd_notify(3)). */
export function notification(variables: Record<string, string | number>): Uint8Array {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  return new TextEncoder().encode(lines.join(""));
}
