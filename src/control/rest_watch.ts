import { type Clock, systemClock } from "../base/clock.ts";
import { collectAtRest } from "../sys/garbage.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { releaseMemory } from "../sys/memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const CHECK_MS = 2000;
const STATUS_BYTES = 4096;
const STARTED_MS = 300;
const GROWN_BYTES = 4 * MIB;
const BUSY_BYTES = MIB;
/** Executable pages return on use: their growth alone counts this rarely. */
const PAGES_MS = 60_000;
const PAGES_BYTES = 8 * MIB;

/** Memory of the process; `residentBytes` includes file pages. */
export interface MemoryUse {
  readonly anonymousBytes: number;
  readonly residentBytes: number;
}

/** Parses `/proc/self/status`; null without memory figures. */
export function parseMemoryUse(status: string): MemoryUse | null {
  const bytes = (name: string) => {
    const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
    return kib === undefined ? NaN : Number(kib) * KIB;
  };
  const use = { anonymousBytes: bytes("RssAnon"), residentBytes: bytes("VmRSS") };
  return Number.isNaN(use.anonymousBytes + use.residentBytes) ? null : use;
}

interface RestActions {
  read(): MemoryUse | null;
  collectGarbage(): void;
  release(): void;
}

/** Releases memory after the start and after each burst. */
export class RestWatch {
  readonly #actions: RestActions;
  #left: MemoryUse = { anonymousBytes: 0, residentBytes: 0 };
  #releasedMs = -Infinity;
  #seenBytes: number;
  /** Collecting loads code pages. */
  #collected = false;

  constructor(actions: RestActions) {
    this.#actions = actions;
    this.#seenBytes = actions.read()?.anonymousBytes ?? 0;
  }

  check(nowMs: number): void {
    const use = this.#actions.read();
    if (use === null) return;
    const { anonymousBytes, residentBytes } = use;
    const busy = anonymousBytes - this.#seenBytes >= BUSY_BYTES;
    this.#seenBytes = anonymousBytes;
    if (busy) return;
    const grown = anonymousBytes - this.#left.anonymousBytes >= GROWN_BYTES;
    const pages = residentBytes - this.#left.residentBytes >= PAGES_BYTES &&
      nowMs - this.#releasedMs >= PAGES_MS;
    if (!grown && !pages && !this.#collected) return;
    if (grown) this.#actions.collectGarbage();
    this.#collected = grown;
    this.#actions.release();
    this.#releasedMs = nowMs;
    this.#left = this.#actions.read() ?? use;
    this.#seenBytes = this.#left.anonymousBytes;
  }
}

/** Releases memory when idle; returns a function that stops. */
export function releaseAtRest(clock: Clock = systemClock): () => void {
  const watch = new RestWatch({
    read: readUse,
    collectGarbage: collectAtRest,
    release: releaseMemory,
  });
  const cancelStarted = clock.after(STARTED_MS, releaseMemory);
  const cancelCheck = clock.every(CHECK_MS, () => watch.check(clock.now()));
  return () => {
    cancelStarted();
    cancelCheck();
  };
}

/** Null if /proc is unreadable, as in a bare chroot. */
function readUse(): MemoryUse | null {
  try {
    return parseMemoryUse(readKernelFile("/proc/self/status", STATUS_BYTES));
  } catch {
    return null;
  }
}
