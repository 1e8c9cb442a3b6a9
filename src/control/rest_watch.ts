import { collectAtRest } from "../sys/garbage.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { releaseMemory } from "../sys/memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** How often memory is looked at. */
const LOOK_MS = 2000;
/** More than the kernel says. */
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

/** Reads what the process takes from the kernel's text; null if that says nothing of it. */
export function parseMemoryUse(status: string): MemoryUse | null {
  const bytes = (name: string) => {
    const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
    return kib === undefined ? NaN : Number(kib) * KIB;
  };
  const use = { anonymousBytes: bytes("RssAnon"), residentBytes: bytes("VmRSS") };
  return Number.isNaN(use.anonymousBytes + use.residentBytes) ? null : use;
}

/** What a watch looks at, and what it has done. */
interface RestActions {
  /** What the process takes; null if that is not known. */
  readonly read: () => MemoryUse | null;
  /** Collects garbage. */
  readonly collect: () => void;
  /** Gives free memory and pages of files back. */
  readonly release: () => void;
}

/** Gives memory back when the process has come to rest: after its start, and after each burst. */
export class RestWatch {
  readonly #actions: RestActions;
  /** What was left the last time, and when that was. */
  #left: MemoryUse = { anonymousBytes: 0, residentBytes: 0 };
  #releasedMs = -Infinity;
  #seenBytes: number;
  /** Collecting needed pages of code, which have yet to be given back. */
  #collected = false;

  constructor(actions: RestActions) {
    this.#actions = actions;
    this.#seenBytes = actions.read()?.anonymousBytes ?? 0;
  }

  /** Looks once; call it every `LOOK_MS`. */
  look(nowMs: number): void {
    const { read, collect, release } = this.#actions;
    const use = read();
    if (use === null) return;
    const { anonymousBytes, residentBytes } = use;
    const moving = anonymousBytes - this.#seenBytes >= MOVING_BYTES;
    this.#seenBytes = anonymousBytes;
    if (moving) return;
    const grown = anonymousBytes - this.#left.anonymousBytes >= GROWN_BYTES;
    const pages = residentBytes - this.#left.residentBytes >= PAGES_BYTES &&
      nowMs - this.#releasedMs >= PAGES_MS;
    if (!grown && !pages && !this.#collected) return;
    if (grown) collect();
    this.#collected = grown;
    release();
    this.#releasedMs = nowMs;
    this.#left = read() ?? use;
    this.#seenBytes = this.#left.anonymousBytes;
  }
}

/** Gives memory back from now on, whenever the process is at rest; returns what ends that. */
export function releaseAtRest(): () => void {
  const watch = new RestWatch({ read: readUse, collect: collectAtRest, release: releaseMemory });
  const started = setTimeout(releaseMemory, STARTED_MS);
  const looking = setInterval(() => watch.look(performance.now()), LOOK_MS);
  return () => {
    clearTimeout(started);
    clearInterval(looking);
  };
}

/** What this process takes; null if /proc cannot be read, as in a bare change of root. */
function readUse(): MemoryUse | null {
  try {
    return parseMemoryUse(readKernelFile("/proc/self/status", STATUS_BYTES));
  } catch {
    return null;
  }
}
