import { type Clock, systemClock } from "../base/clock.ts";
import { collectAtRest } from "../sys/garbage.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { releaseMemory } from "../sys/memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const CHECK_MS = 500;
const STATUS_BYTES = 4096;
const STARTED_MS = 300;
const GROWN_BYTES = 4 * MIB;
const BUSY_BYTES = MIB;
/** The data plane has collected its garbage by then. */
const AGAIN_MS = 4000;
/** Executable pages return on use: their growth counts this rarely. */
const PAGES_MS = 60_000;
const PAGES_BYTES = 8 * MIB;

/** Memory in use. */
export type MemoryUse = NonNullable<ReturnType<typeof parseMemoryUse>>;

/** Parses `/proc/self/status`. Resident memory includes file pages. */
export function parseMemoryUse(status: string) {
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

/** Returns a check for every few seconds: releases memory after the start and bursts. */
export function restWatch({ read, collectGarbage, release }: RestActions): (nowMs: number) => void {
  let released: MemoryUse = { anonymousBytes: 0, residentBytes: 0 };
  let releasedMs = -Infinity;
  let seenBytes = read()?.anonymousBytes ?? 0;
  let againMs = Infinity;
  return (nowMs) => {
    const use = read();
    if (use === null) return;
    const { anonymousBytes, residentBytes } = use;
    const busy = anonymousBytes - seenBytes >= BUSY_BYTES;
    seenBytes = anonymousBytes;
    if (busy) return;
    const grown = anonymousBytes - released.anonymousBytes >= GROWN_BYTES;
    const pages = residentBytes - released.residentBytes >= PAGES_BYTES &&
      nowMs - releasedMs >= PAGES_MS;
    const again = nowMs >= againMs;
    if (!grown && !pages && !again) return;
    if (grown) collectGarbage();
    // A collection loads pages of code: once more.
    if (grown || again) againMs = grown ? nowMs + AGAIN_MS : Infinity;
    release();
    releasedMs = nowMs;
    released = read() ?? use;
    seenBytes = released.anonymousBytes;
  };
}

/** Releases memory when idle; returns a function that stops. */
export function releaseAtRest(clock: Clock = systemClock): () => void {
  const check = restWatch({
    read: readUse,
    collectGarbage: collectAtRest,
    release: releaseMemory,
  });
  const cancelStarted = clock.after(STARTED_MS, releaseMemory);
  const cancelCheck = clock.every(CHECK_MS, () => check(clock.now()));
  return () => {
    cancelStarted();
    cancelCheck();
  };
}

/** Null if /proc is unreadable. */
function readUse(): MemoryUse | null {
  try {
    return parseMemoryUse(readKernelFile("/proc/self/status", STATUS_BYTES));
  } catch {
    return null;
  }
}
