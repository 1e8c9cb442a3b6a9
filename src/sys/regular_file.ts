/**
 * Reading of files that somebody named: regular files of a bounded size, nothing else.
 *
 * Opening a FIFO waits for its writer, and a device may never end. So what a path leads to is looked
 * at before it is opened, and again through the descriptor. Whoever may write to the folder of the
 * file can still put a FIFO there in between, and make the reader wait.
 *
 * /dev/null counts as a regular file that is empty: it is how one says "no file".
 */

/** A Corefile or what it is made from; no config map of Kubernetes is larger. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** PEM files; all authorities of a system take some 250 KiB. */
export const MAX_CERTIFICATES_BYTES = 4 * 1024 * 1024;
/** Files in the format of /etc/hosts; a list of 1,000,000 names takes some 35 MiB. */
export const MAX_HOSTS_BYTES = 256 * 1024 * 1024;
/** Lists of servers (resolv.conf) and of users (passwd). */
export const MAX_SYSTEM_FILE_BYTES = 1024 * 1024;

const CHUNK_BYTES = 64 * 1024;
/** Device 1:3 of Linux. */
const NULL_DEVICE = (1 << 8) | 3;

/** Whether it is a regular file or /dev/null. */
export function isRegular({ isFile, isCharDevice, rdev }: Deno.FileInfo): boolean {
  return isFile || (isCharDevice === true && rdev === NULL_DEVICE && Deno.build.os === "linux");
}

/** Throws an error that says what it is instead, or that it is too large. */
export function requireRegular(stat: Deno.FileInfo, maxBytes: number): void {
  if (!isRegular(stat)) throw new Error(`it is ${kindOf(stat)}, not a regular file`);
  if (stat.size > maxBytes) throw tooLarge(maxBytes);
}

/** What tells one content of a file from another without reading it. */
export interface FileState {
  /** The same text as long as nothing has changed. */
  text: string;
  /** The file may change again without another state: its times are too coarse for that. */
  fresh: boolean;
}

/** A file that changed this short a time ago may change again without a later time. */
const FRESH_MS = 2000;

/** State of a file: a replaced one differs by its inode, one with forged times by its change time. */
export function fileState(
  { dev, ino, size, mtime, ctime }: Deno.FileInfo,
  nowMs: number,
): FileState {
  const times = [mtime, ctime].map((date) => date?.getTime() ?? 0);
  return {
    text: [dev, ino, size, ...times].join(" "),
    // Nobody can forge the change time.
    fresh: Math.abs(nowMs - ((ctime ?? mtime)?.getTime() ?? nowMs)) < FRESH_MS,
  };
}

/**
 * Text of a regular file of at most `maxBytes`. Throws the system's errors, and one that says why it
 * is not read.
 */
export function readRegularTextSync(path: string, maxBytes: number): string {
  requireRegular(Deno.statSync(path), maxBytes);
  using file = Deno.openSync(path);
  requireRegular(file.statSync(), maxBytes);
  const content = new Bounded(maxBytes);
  for (;;) {
    const count = file.readSync(content.room());
    if (count === null) return decode(content.bytes());
    content.grow(count);
  }
}

/** Like `readRegularTextSync`, without making other work of this thread wait. */
export async function readRegularText(path: string, maxBytes: number): Promise<string> {
  return decode(await readRegularFile(path, maxBytes));
}

/** Content of a regular file of at most `maxBytes`. Throws like `readRegularTextSync`. */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  requireRegular(await Deno.stat(path), maxBytes);
  using file = await Deno.open(path);
  requireRegular(await file.stat(), maxBytes);
  const content = new Bounded(maxBytes);
  for (;;) {
    const count = await file.read(content.room());
    if (count === null) return content.bytes();
    content.grow(count);
  }
}

/** What has been read; files of the kernel do not say their size before. */
class Bounded {
  readonly #maxBytes: number;
  #bytes = new Uint8Array(CHUNK_BYTES);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Where more can be put. */
  room(): Uint8Array {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes.subarray(this.#length);
  }

  /** Takes what has been put there; throws if that is too much. */
  grow(count: number): void {
    this.#length += count;
    if (this.#length > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
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
  if (stat.isSocket) return "a socket";
  return "a device";
}
