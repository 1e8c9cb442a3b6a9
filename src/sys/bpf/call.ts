import { ERRNO, SYS_BPF } from "../constants.ts";
import { errnoText, type Libc } from "../libc.ts";

/** Commands of bpf(2). */
export const BPF = {
  MAP_CREATE: 0,
  MAP_LOOKUP: 1,
  PROG_LOAD: 5,
  PROG_TEST_RUN: 10,
  PROG_GET_FD_BY_ID: 13,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
  LINK_CREATE: 28,
} as const;

/** Longest name of a map or program, which ends with a zero. */
export const NAME_SIZE = 16;

/** A failed call of bpf(2), or of mmap for its maps. */
export class BpfError extends Error {
  /** EACCES for all that the verifier refuses; ETIMEDOUT for a load that took too long. */
  readonly errno: number;
  /** What the verifier said; otherwise "". */
  readonly verifierLog: string;

  constructor(what: string, errno: number, verifierLog = "") {
    super(`Cannot ${what}: ${reasonFor(errno, verifierLog)}`);
    this.name = "BpfError";
    this.errno = errno;
    this.verifierLog = verifierLog;
  }
}

/** Attributes of a call: `union bpf_attr`, or a structure that the kernel fills in. */
export class Attributes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** Buffers whose addresses are in here. */
  readonly #referenced: unknown[] = [];

  constructor(sizeBytes: number) {
    // Not `new Uint8Array(size)`: a short one may move with V8's heap.
    const buffer = new ArrayBuffer(sizeBytes);
    this.bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  word(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** The address of a buffer, which stays alive as long as this object. */
  address(at: number, bytes: Uint8Array<ArrayBuffer>): this {
    this.#referenced.push(bytes);
    const pointer = Deno.UnsafePointer.of(bytes);
    this.#view.setBigUint64(at, Deno.UnsafePointer.value(pointer), true);
    return this;
  }

  /** ASCII; what is too long is cut. */
  text(at: number, text: string): this {
    for (let i = 0; i < Math.min(text.length, NAME_SIZE - 1); i++) {
      this.bytes[at + i] = text.charCodeAt(i);
    }
    return this;
  }

  read(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** Reads up to a zero. */
  readText(at: number): string {
    const end = this.bytes.indexOf(0, at);
    return new TextDecoder().decode(this.bytes.subarray(at, end < 0 ? undefined : end));
  }
}

/** Calls bpf(2); negative if it fails. */
export function tryBpf(libc: Libc, command: number, attributes: Attributes): number {
  return libc.bpf(BigInt(SYS_BPF), command, attributes.bytes, attributes.bytes.length);
}

/** Buffers that another thread reads: nothing else keeps V8 from freeing them meanwhile. */
const underWay = new Set<Attributes>();

/** Like `tryBpf`, on another thread. */
export async function tryBpfAsync(
  libc: Libc,
  command: number,
  attributes: Attributes,
): Promise<number> {
  const { bytes } = attributes;
  underWay.add(attributes);
  try {
    return await libc.bpfAsync(BigInt(SYS_BPF), command, bytes, bytes.length);
  } finally {
    underWay.delete(attributes);
  }
}

function reasonFor(errno: number, verifierLog: string): string {
  if (verifierLog !== "") {
    const remedy = verifierLog.includes("!root") ? " (it needs the capability PERFMON)" : "";
    return `the kernel's verifier refuses it: ${lastWords(verifierLog)}${remedy}`;
  }
  const text = errnoText(errno);
  switch (errno) {
    case ERRNO.PERM:
      return `${text} (it needs the capabilities BPF, PERFMON and NET_ADMIN, or SYS_ADMIN, and ` +
        `a seccomp profile that allows bpf(2); before Linux 5.11 also room for locked memory)`;
    case ERRNO.NOSYS:
      return `${text} (the kernel has no bpf(2), or a seccomp profile forbids it)`;
    case ERRNO.INVAL:
      return `${text} (the kernel may be too old: Linux 5.10 is the oldest that can)`;
    default:
      return text;
  }
}

/** The log's last line but the statistics. */
function lastWords(log: string): string {
  const lines = log.trim().split("\n").filter((line) => !STATISTICS.test(line));
  return lines.at(-1)?.trim() ?? "it gives no reason";
}

/** Lines that the verifier adds whatever the outcome. */
export const STATISTICS = /^(?:verification time|stack depth|processed \d+ insns|insns processed)/;
