/** Ticks per second in /proc: 100 wherever Deno runs. */
const TICKS_PER_SECOND = 100;

/** CPU seconds used so far by a process, its threads and its children. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const member of family(pid)) ticks += member;
  return ticks / TICKS_PER_SECOND;
}

/** Memory of a process in megabytes (10^6 bytes). */
export interface ProcessMemory {
  resident: number;
  /** Excludes program text and other files. */
  anonymous: number;
  /** Peak resident memory. */
  peak: number;
}

/** Reads the memory from /proc. */
export function processMemory(pid: number): ProcessMemory {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string): number => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
    if (match === null) throw new Error(`Cannot read "/proc/${pid}/status": no ${name} in it`);
    return Number(match[1]) * 1024 / 1e6;
  };
  return { resident: field("VmRSS"), anonymous: field("RssAnon"), peak: field("VmHWM") };
}

/** Median, or the mean of two middle values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Ticks of the process and living children; its own count includes dead ones. */
function family(pid: number): number[] {
  const ticks: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statFields(name);
    if (fields === null) continue;
    const [user = 0, system = 0, deadUser = 0, deadSystem = 0] = fields.slice(11, 15).map(Number);
    if (Number(name) === pid) ticks.push(user + system + deadUser + deadSystem);
    else if (Number(fields[1]) === pid) ticks.push(user + system);
  }
  return ticks;
}

/** Fields of /proc/PID/stat from the third on (state, ppid, …); null after its end. */
function statFields(pid: string): string[] | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name in parentheses may itself contain parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
