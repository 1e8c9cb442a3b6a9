import { MADV_DONTNEED } from "./constants.ts";
import { readKernelFile } from "./kernel_file.ts";

/** The executable comes early in it; all of it is some 400 KB. */
const SMAPS_BYTES = 2 ** 20;

/** A part of the process's memory. */
interface Range {
  readonly start: Deno.PointerValue;
  readonly sizeBytes: bigint;
}

const SYMBOLS = {
  /** int madvise(void *addr, size_t length, int advice) */
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  /** int malloc_trim(size_t pad) */
  malloc_trim: { parameters: ["u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

let libc: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | null = null;
let ranges: Range[] = [];

/**
 * Gives memory back that only starting and warming up needed: the C heap's free pages, which
 * compiling JavaScript leaves behind, and the pages of the executable that nobody writes to: code,
 * and constants with V8's snapshot, about 40 MB. What is used again is read back from the page cache.
 *
 * Does nothing if the kernel does not say what is mapped.
 */
export function releaseMemory(): void {
  if (libc === null) {
    libc = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    ranges = untouched(Deno.execPath());
  }
  libc.malloc_trim(0);
  for (const { start, sizeBytes } of ranges) libc.madvise(start, sizeBytes, MADV_DONTNEED);
}

/**
 * What is mapped of a file, cannot be written to and never was. Parts that were written to before
 * (addresses that the dynamic linker filled in) are not in the file.
 */
function untouched(path: string): Range[] {
  let smaps: string;
  try {
    smaps = readKernelFile("/proc/self/smaps", SMAPS_BYTES);
  } catch {
    return [];
  }
  const found: Range[] = [];
  for (const part of smaps.split(/^(?=[0-9a-f]+-)/m)) {
    const [, start, end, file] = /^(\w+)-(\w+) r-[x-]p \w+ \S+ \d+ +(.*)$/m.exec(part) ?? [];
    if (file !== path || !/^Anonymous: +0 kB$/m.test(part)) continue;
    const from = BigInt(`0x${start}`);
    found.push({
      start: Deno.UnsafePointer.create(from),
      sizeBytes: BigInt(`0x${end}`) - from,
    });
  }
  return found;
}
