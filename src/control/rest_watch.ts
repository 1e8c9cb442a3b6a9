import { collectAtRest } from "../sys/garbage.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { releaseMemory } from "../sys/memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** How often memory is looked at. */
const LOOK_MS = 2000;
/** Twice what the kernel says. */
const STATUS_BYTES = 4096;
/** The pages that only starting needed are given back after this time. */
const STARTED_MS = 300;
/** Growth of anonymous memory that is worth giving back: compiled code's leavings, garbage. */
const GROWN_BYTES = 4 * MIB;
/** Growth between two looks that tells that the process is still at it. */
const MOVING_BYTES = MIB;
/** Pages of the executable come back where they are needed, so their growth alone counts this rarely. */
const PAGES_MS = 60_000;
const PAGES_BYTES = 8 * MIB;

/** What the process takes. */
export interface MemoryUse {
  /** Its own memory. */
  readonly anonymousBytes: number;
  /** With the pages of files. */
  readonly residentBytes: number;
}

/** Reads what the process takes from the kernel's text; null where that says nothing of it. */
export function parseMemoryUse(status: string): MemoryUse | null {
  const bytes = (name: string) => {
    const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
    return kib === undefined ? NaN : Number(kib) * KIB;
  };
  const use = { anonymousBytes: bytes("RssAnon"), residentBytes: bytes("VmRSS") };
  return Number.isNaN(use.anonymousBytes + use.residentBytes) ? null : use;
}

/** Gives memory back when the process has come to rest: after its start, and after each burst. */
export class RestWatch {
  readonly #read: () => MemoryUse | null;
  readonly #release: () => void;
  /** What was left the last time, and when that was. */
  #left: MemoryUse = { anonymousBytes: 0, residentBytes: 0 };
  #releasedMs = -Infinity;
  #seenBytes: number;

  constructor({ read, release }: { read: () => MemoryUse | null; release: () => void }) {
    this.#read = read;
    this.#release = release;
    this.#seenBytes = read()?.anonymousBytes ?? 0;
  }

  /** Looks once; call it every `LOOK_MS`. */
  look(nowMs: number): void {
    const use = this.#read();
    if (use === null) return;
    const { anonymousBytes, residentBytes } = use;
    const moving = anonymousBytes - this.#seenBytes >= MOVING_BYTES;
    this.#seenBytes = anonymousBytes;
    if (moving) return;
    const grown = anonymousBytes - this.#left.anonymousBytes >= GROWN_BYTES;
    const pages = residentBytes - this.#left.residentBytes >= PAGES_BYTES &&
      nowMs - this.#releasedMs >= PAGES_MS;
    if (!grown && !pages) return;
    this.#release();
    this.#releasedMs = nowMs;
    this.#left = this.#read() ?? use;
    this.#seenBytes = this.#left.anonymousBytes;
  }
}

/**
 * Gives memory back from now on, whenever the process is at rest; returns what ends that. Throws where
 * the kernel's files cannot be read.
 */
export function releaseAtRest(): () => void {
  const read = () => parseMemoryUse(readKernelFile("/proc/self/status", STATUS_BYTES));
  const release = () => {
    collectAtRest();
    releaseMemory();
  };
  const watch = new RestWatch({ read, release });
  const started = setTimeout(releaseMemory, STARTED_MS);
  const looking = setInterval(() => watch.look(performance.now()), LOOK_MS);
  return () => {
    clearTimeout(started);
    clearInterval(looking);
  };
}
