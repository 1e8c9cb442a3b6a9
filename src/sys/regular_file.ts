/**
 * Reads files named by users: bounded regular files, and /dev/null. A FIFO may block and a device
 * never end, so the type is checked before opening and again on the descriptor.
 */

/** Limit of a Corefile or import (as for Kubernetes config maps). */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Limit of PEM files; a system's authorities take about 250 KiB. */
export const MAX_CERTIFICATES_BYTES = 4 * 1024 * 1024;
/** Limit of hosts files; 1,000,000 names take about 35 MiB. */
export const MAX_HOSTS_BYTES = 256 * 1024 * 1024;
/** Limit of resolv.conf and passwd. */
export const MAX_SYSTEM_FILE_BYTES = 1024 * 1024;

const CHUNK_BYTES = 64 * 1024;
/** Device 1:3 on Linux. */
const NULL_DEVICE = (1 << 8) | 3;
/** Timestamps may be too coarse. */
const FRESH_MS = 2000;

/** Whether it is a regular file or /dev/null. */
export function isRegular({ isFile, isCharDevice, rdev }: Deno.FileInfo): boolean {
  return isFile || (isCharDevice === true && rdev === NULL_DEVICE && Deno.build.os === "linux");
}

/** Throws an error with the actual type or size. */
export function requireRegular(stat: Deno.FileInfo, maxBytes: number): void {
  if (!isRegular(stat)) throw new Error(`it is ${kindOf(stat)}, not a regular file`);
  if (stat.size > maxBytes) throw tooLarge(maxBytes);
}

interface FileState {
  text: string;
  /** Another change might not show. */
  fresh: boolean;
}

/** Identifies content without reading it; inode and change time reveal forged modification times. */
export function fileState(
  { dev, ino, size, mtime, ctime }: Deno.FileInfo,
  nowMs: number,
): FileState {
  const times = [mtime, ctime].map((date) => date?.getTime() ?? 0);
  const changedMs = (ctime ?? mtime)?.getTime() ?? nowMs;
  return {
    text: [dev, ino, size, ...times].join(" "),
    fresh: Math.abs(nowMs - changedMs) < FRESH_MS,
  };
}

/** Reads at most `maxBytes`. Throws system errors and why a file is refused. */
export function readRegularTextSync(path: string, maxBytes: number): string {
  requireRegular(Deno.statSync(path), maxBytes);
  using file = Deno.openSync(path);
  requireRegular(file.statSync(), maxBytes);
  const content = new Content(maxBytes);
  while (content.add(file.readSync(content.free)));
  return decode(content.bytes);
}

/** Non-blocking `readRegularTextSync`. */
export async function readRegularText(path: string, maxBytes: number): Promise<string> {
  return decode(await readRegularFile(path, maxBytes));
}

/** Throws like `readRegularTextSync`. */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  requireRegular(await Deno.stat(path), maxBytes);
  using file = await Deno.open(path);
  requireRegular(await file.stat(), maxBytes);
  const content = new Content(maxBytes);
  while (content.add(await file.read(content.free)));
  return content.bytes;
}

class Content {
  readonly #maxBytes: number;
  #buffer = new Uint8Array(CHUNK_BYTES);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  get free(): Uint8Array {
    if (this.#length === this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#length);
  }

  /** False at the end. Throws above the limit. */
  add(count: number | null): boolean {
    this.#length += count ?? 0;
    if (this.#length > this.#maxBytes) throw tooLarge(this.#maxBytes);
    return count !== null;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function tooLarge(maxBytes: number): Error {
  return new Error(`it is larger than ${maxBytes} bytes`);
}

function kindOf(stat: Deno.FileInfo): string {
  if (stat.isDirectory) return "a directory";
  if (stat.isFifo) return "a FIFO";
  return stat.isSocket ? "a socket" : "a device";
}
