import type { Clock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import { ERRNO, MAP_SHARED, PROT, RLIMIT_MEMLOCK } from "../constants.ts";
import { readKernelFile } from "../kernel_file.ts";
import { cString, lastErrno, type Libc, openLibc } from "../libc.ts";
import { Attributes, BPF, BpfError, NAME_SIZE, STATISTICS, tryBpf, tryBpfAsync } from "./call.ts";

export { BpfError };

/** A program as generated. */
export interface KernelProgram {
  /** As the kernel shows it; at most 15 characters. */
  readonly name: string;
  /** Instructions of eight octets, in base64. */
  readonly code: string;
  /** Octet offsets of instructions that name a map. */
  readonly relocations: readonly { readonly at: number; readonly map: string }[];
  /** Per-CPU memory that nobody but the program uses: the map's name and its octets. */
  readonly scratch: { readonly map: string; readonly sizeBytes: number } | null;
}

/** An array of the kernel: `entries` values of `valueSize` octets, a multiple of eight. */
export interface BpfArray {
  readonly fd: number;
  readonly valueSize: number;
  readonly entries: number;
}

const MAP_TYPE = { ARRAY: 2, PERCPU_ARRAY: 6 } as const;
const F_MMAPABLE = 1 << 10;
const PROG_TYPE_SCHED_CLS = 3;
const ATTACH_TYPE = { ingress: 46, egress: 47 } as const;
/** Before all that is attached already. */
const F_BEFORE = 1 << 3;
const PSEUDO_MAP_FD = 1;
/** Reasons for a refusal and statistics; no trace, which is long and slow. */
const LOG_LEVEL = 4;
const LOG_BYTES = 65536;
/** Helpers for the GPL alone are not used. */
const LICENSE = "Apache-2.0";
/** As in libbpf: a signal interrupts the verifier. */
const LOAD_ATTEMPTS = 5;
/** BPF_MPROG_MAX. */
const MAX_ATTACHED = 64;
/** The largest NR_CPUS of the kernel's configurations. */
const MAX_CPUS = 8192;

/** Makes an array; it can be mapped unless it is per CPU. */
export function createArray(
  name: string,
  options: { valueSize: number; entries: number; perCpu?: true },
): BpfArray {
  const libc = openLibc();
  raiseLockedMemory(libc);
  const { valueSize, entries, perCpu = false } = options;
  const attributes = new Attributes(48)
    .word(0, perCpu ? MAP_TYPE.PERCPU_ARRAY : MAP_TYPE.ARRAY)
    .word(4, 4)
    .word(8, valueSize)
    .word(12, entries)
    .word(16, perCpu ? 0 : F_MMAPABLE)
    .text(28, name);
  const fd = tryBpf(libc, BPF.MAP_CREATE, attributes);
  if (fd < 0) throw new BpfError(`make the map "${name}"`, lastErrno());
  return { fd, valueSize, entries };
}

/** Maps an array's values, one behind the other; the mapping outlives the descriptor. */
export function mapArray(array: BpfArray): { memory: ArrayBuffer; unmap(): void } {
  const libc = openLibc();
  const sizeBytes = array.valueSize * array.entries;
  // The kernel rounds it up to whole pages.
  const mapped = BigInt(sizeBytes);
  const pointer = libc.mmap(null, mapped, PROT.READ | PROT.WRITE, MAP_SHARED, array.fd, 0n);
  if (pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED) {
    throw new BpfError("map a BPF array into memory", lastErrno());
  }
  return {
    memory: Deno.UnsafePointerView.getArrayBuffer(pointer, sizeBytes),
    unmap: () => void libc.munmap(pointer, mapped),
  };
}

const MAP_FAILED = 2n ** 64n - 1n;

/**
 * Loads a program for tc on another thread and returns its descriptor. A load that comes too late
 * is undone. Throws `BpfError`.
 */
export async function loadProgram(
  program: KernelProgram,
  maps: ReadonlyMap<string, BpfArray>,
  limitMs: number,
  clock: Clock,
): Promise<number> {
  const loading = withScratch(program, maps, (all) => load(program, all));
  // A refusal after the time limit is nobody's.
  loading.catch(() => {});
  if (await doneWithin(loading, limitMs, clock)) return await loading;
  loading.then(closeDescriptor, () => {});
  throw new BpfError(`load the program "${program.name}" in ${limitMs} ms`, ERRNO.TIMEDOUT);
}

/** The program keeps its memory when the descriptor is closed. */
async function withScratch<T>(
  { scratch }: KernelProgram,
  maps: ReadonlyMap<string, BpfArray>,
  use: (maps: ReadonlyMap<string, BpfArray>) => Promise<T>,
): Promise<T> {
  if (scratch === null) return await use(maps);
  const { map, sizeBytes } = scratch;
  const array = createArray(map, { valueSize: sizeBytes, entries: 1, perCpu: true });
  try {
    return await use(new Map([...maps, [map, array]]));
  } finally {
    closeDescriptor(array.fd);
  }
}

async function load(program: KernelProgram, maps: ReadonlyMap<string, BpfArray>): Promise<number> {
  const libc = openLibc();
  const code = relocate(program, maps);
  const log = new Uint8Array(LOG_BYTES);
  const attributes = new Attributes(72)
    .word(0, PROG_TYPE_SCHED_CLS)
    .word(4, code.length / 8)
    .address(8, code)
    .address(16, cString(LICENSE))
    .word(24, LOG_LEVEL)
    .word(28, log.length)
    .address(32, log)
    .text(48, program.name);
  const what = `load the program "${program.name}"`;
  for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
    log[0] = 0;
    const fd = await tryBpfAsync(libc, BPF.PROG_LOAD, attributes);
    if (fd >= 0) return fd;
    const words = new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
    if (words === "") {
      // Refused before the verifier, hence soon: this thread can ask for the reason.
      const again = tryBpf(libc, BPF.PROG_LOAD, attributes);
      if (again >= 0) return again;
      throw new BpfError(what, lastErrno());
    }
    // Statistics alone: interrupted.
    const reasons = words.trim().split("\n").filter((line) => !STATISTICS.test(line));
    if (reasons.length > 0) throw new BpfError(what, ERRNO.ACCES, words);
  }
  throw new BpfError(what, ERRNO.AGAIN);
}

function relocate(
  program: KernelProgram,
  maps: ReadonlyMap<string, BpfArray>,
): Uint8Array<ArrayBuffer> {
  const code = Uint8Array.from(atob(program.code), (char) => char.charCodeAt(0));
  const view = new DataView(code.buffer);
  for (const { at, map } of program.relocations) {
    const array = maps.get(map);
    if (array === undefined) throw new TypeError(`Program "${program.name}" lacks map "${map}"`);
    code[at + 1] = (code[at + 1]! & 0x0f) | (PSEUDO_MAP_FD << 4);
    view.setInt32(at + 4, array.fd, true);
  }
  return code;
}

/** A program's name; "" if it cannot be read, which takes the capability SYS_ADMIN. */
export function programName(id: number): string {
  const libc = openLibc();
  const fd = tryBpf(libc, BPF.PROG_GET_FD_BY_ID, new Attributes(12).word(0, id));
  if (fd < 0) return "";
  try {
    return readInfo(libc, fd)?.readText(INFO.NAME) ?? "";
  } finally {
    libc.close(fd);
  }
}

/** A program's number, by its descriptor. */
export function programId(fd: number): number {
  const info = readInfo(openLibc(), fd);
  if (info === null) throw new BpfError("read a program's number", lastErrno());
  return info.read(INFO.ID);
}

/** Offsets in `struct bpf_prog_info`, and how much of it is read. */
const INFO = { ID: 4, NAME: 64, SIZE: 64 + NAME_SIZE } as const;

function readInfo(libc: Libc, fd: number): Attributes | null {
  const info = new Attributes(INFO.SIZE);
  const attributes = new Attributes(16).word(0, fd).word(4, INFO.SIZE).address(8, info.bytes);
  return tryBpf(libc, BPF.OBJ_GET_INFO_BY_FD, attributes) < 0 ? null : info;
}

/**
 * Attaches a program to an interface's ingress, before all others, and returns the link's
 * descriptor: the last one that is closed takes the program away. Both take 10 ms and more, because
 * the kernel waits until no processor uses the list of programs that was replaced.
 */
export function attachTcx(programFd: number, interfaceIndex: number): number {
  const fd = tryBpf(openLibc(), BPF.LINK_CREATE, linkAttributes(programFd, interfaceIndex));
  if (fd < 0) {
    throw new BpfError(`attach a program to the interface ${interfaceIndex}`, lastErrno());
  }
  return fd;
}

/** `attachTcx` on another thread. */
export async function attachTcxAsync(programFd: number, interfaceIndex: number): Promise<number> {
  const attributes = linkAttributes(programFd, interfaceIndex);
  const fd = await tryBpfAsync(openLibc(), BPF.LINK_CREATE, attributes);
  // The other thread keeps the reason. A refusal is soon: this thread can ask for it.
  return fd < 0 ? attachTcx(programFd, interfaceIndex) : fd;
}

function linkAttributes(programFd: number, interfaceIndex: number): Attributes {
  return new Attributes(32)
    .word(0, programFd)
    .word(4, interfaceIndex)
    .word(8, ATTACH_TYPE.ingress)
    .word(12, F_BEFORE);
}

/** Numbers of the programs attached by TCX; throws EINVAL on kernels before 6.6. */
export function queryTcx(interfaceIndex: number, direction: "ingress" | "egress"): number[] {
  const ids = new Attributes(4 * MAX_ATTACHED);
  const attributes = new Attributes(64)
    .word(0, interfaceIndex)
    .word(4, ATTACH_TYPE[direction])
    .address(16, ids.bytes)
    .word(24, MAX_ATTACHED);
  if (tryBpf(openLibc(), BPF.PROG_QUERY, attributes) < 0) {
    const errno = lastErrno();
    if (errno === ERRNO.NOENT) return [];
    throw new BpfError(`list the programs of the interface ${interfaceIndex}`, errno);
  }
  return Array.from({ length: attributes.read(24) }, (_, i) => ids.read(4 * i));
}

/** Reads the first value of a per-CPU array as 64-bit numbers, summed over the processors. */
export function readPerCpu(array: BpfArray): number[] {
  const value = new Uint8Array(processors() * array.valueSize);
  const key = new Attributes(4);
  const attributes = new Attributes(32)
    .word(0, array.fd)
    .address(8, key.bytes)
    .address(16, value);
  if (tryBpf(openLibc(), BPF.MAP_LOOKUP, attributes) < 0) {
    throw new BpfError("read a per-CPU array", lastErrno());
  }
  const words = new BigUint64Array(value.buffer);
  const sums = new Array<number>(array.valueSize / 8).fill(0);
  for (let i = 0; i < words.length; i++) sums[i % sums.length]! += Number(words[i]);
  return sums;
}

/** Closes a link on another thread. */
export async function closeLink(fd: number): Promise<void> {
  await openLibc().closeAsync(fd);
}

/** Closes a map, a program, or a link at once. */
export function closeDescriptor(fd: number): void {
  openLibc().close(fd);
}

let cpus = 0;

/** Not fewer than the kernel writes values for. */
function processors(): number {
  if (cpus > 0) return cpus;
  try {
    const ranges = readKernelFile("/sys/devices/system/cpu/possible").trim();
    const last = /(\d+)$/.exec(ranges)?.[1];
    cpus = last === undefined ? MAX_CPUS : Number(last) + 1;
  } catch {
    cpus = MAX_CPUS;
  }
  return cpus;
}

/** Before Linux 5.11 maps count as locked memory. A failure shows when the map is made. */
function raiseLockedMemory(libc: Libc): void {
  const limits = new BigUint64Array(2).fill(2n ** 64n - 1n);
  libc.setrlimit(RLIMIT_MEMLOCK, new Uint8Array(limits.buffer));
}
