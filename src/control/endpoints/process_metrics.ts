import type { SeriesBook } from "../../metrics/series.ts";
import { countKernelEntries, readKernelFile } from "../../sys/kernel_file.ts";

/** `sysconf(_SC_CLK_TCK)` and page size of common Linux systems. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Adds the kernel's metrics of this process. */
export function addProcessMetrics(book: SeriesBook): void {
  if (Deno.build.os !== "linux") {
    book.add("process_resident_memory_bytes", {}, Deno.memoryUsage().rss);
    return;
  }
  const add = (make: () => Record<string, number>) => {
    try {
      for (const [name, value] of Object.entries(make())) book.add(name, {}, value);
    } catch {
      // Unreadable without FFI.
    }
  };
  add(() => parseStat(readKernelFile("/proc/self/stat")));
  add(() => ({ process_start_time_seconds: startTime() }));
  add(() => {
    const limits = /^Max open files\s+(\d+)/m.exec(readKernelFile("/proc/self/limits"));
    return { process_max_fds: Number(limits?.[1] ?? NaN) };
  });
  add(() => ({ process_open_fds: countKernelEntries("/proc/self/fd") }));
}

/** Parses `/proc/self/stat` (proc(5)). */
export function parseStat(text: string): Record<string, number> {
  const fields = fieldsOf(text);
  const [user, system, virtual, resident] = [11, 12, 20, 21].map((at) => Number(fields[at]));
  return {
    process_cpu_seconds_total: (user! + system!) / TICKS_PER_SECOND,
    process_virtual_memory_bytes: virtual!,
    process_resident_memory_bytes: resident! * PAGE_BYTES,
  };
}

function startTime(): number {
  const ticks = Number(fieldsOf(readKernelFile("/proc/self/stat"))[19]);
  const boot = Number(/^btime (\d+)/m.exec(readKernelFile("/proc/stat"))?.[1] ?? NaN);
  return boot + ticks / TICKS_PER_SECOND;
}

/** From the third; the second may contain anything. */
function fieldsOf(text: string): string[] {
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
