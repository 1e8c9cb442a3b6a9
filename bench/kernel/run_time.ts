/**
 * CPU time by schedstat: to the nanosecond, and with the softirqs that ran in a thread, unless the
 * kernel accounts for interrupts apart (CONFIG_IRQ_TIME_ACCOUNTING).
 */

/** Microseconds that the threads of these processes have run. */
export function runMicroseconds(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    for (const thread of tasksOf(pid)) {
      const text = readText(`/proc/${pid}/task/${thread}/schedstat`);
      total += Number(text.split(" ")[0]) / 1000;
    }
  }
  return total;
}

/** The kernel's threads for softirqs that no other thread runs. */
export function softirqThreads(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => name)
    .filter((name) => /^\d+$/.test(name) && readText(`/proc/${name}/comm`).startsWith("ksoftirqd"))
    .map(Number);
}

function tasksOf(pid: number): string[] {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** "" of what has just ended. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
