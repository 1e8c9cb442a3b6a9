import { countKernelEntries, readKernelFile } from "../../sys/kernel_file.ts";
import type { SeriesBook } from "../../metrics/series.ts";

/** `sysconf(_SC_CLK_TCK)` and the page size: both are the same on every common Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Adds what the kernel says of this process; what it does not say is left out. */
export function addProcessMetrics(book: SeriesBook): void {
  if (Deno.build.os !== "linux") {
    book.add("process_resident_memory_bytes", {}, Deno.memoryUsage().rss);
    return;
  }
  quietly(() => {
    for (const [name, value] of Object.entries(parseStat(readKernelFile("/proc/self/stat")))) {
      book.add(name, {}, value);
    }
  });
  quietly(() => book.add("process_start_time_seconds", {}, startTime()));
  quietly(() => {
    const limits = /^Max open files\s+(\d+)/m.exec(readKernelFile("/proc/self/limits"));
    book.add("process_max_fds", {}, Number(limits?.[1] ?? NaN));
  });
  quietly(() => book.add("process_open_fds", {}, countKernelEntries("/proc/self/fd")));
}

/** Values of `/proc/self/stat` (proc(5)) by the names of their metrics. */
export function parseStat(text: string): Record<string, number> {
  const fields = fieldsOf(text);
  const [user, system, virtual, resident] = [11, 12, 20, 21].map((at) => Number(fields[at]));
  return {
    process_cpu_seconds_total: (user! + system!) / TICKS_PER_SECOND,
    process_virtual_memory_bytes: virtual!,
    process_resident_memory_bytes: resident! * PAGE_BYTES,
  };
}

/** When the process was started, in seconds since 1970. */
function startTime(): number {
  const ticks = Number(fieldsOf(readKernelFile("/proc/self/stat"))[19]);
  const boot = Number(/^btime (\d+)/m.exec(readKernelFile("/proc/stat"))?.[1] ?? NaN);
  return boot + ticks / TICKS_PER_SECOND;
}

/** Fields from the third on; the second is a name, which may hold anything. */
function fieldsOf(text: string): string[] {
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function quietly(add: () => void): void {
  try {
    add();
  } catch {
    // Without the right to FFI the kernel's files cannot be read.
  }
}
