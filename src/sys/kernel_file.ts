import { DIRENT, O } from "./constants.ts";
import { cString, type Libc, openLibc } from "./libc.ts";

/** V8 hardly counts buffers as garbage. */
const chunk = new Uint8Array(65536);
/** Enough except for `smaps`. */
const MAX_FILE_BYTES = 65536;
/** Socket lists are long. */
const MAX_LIST_BYTES = 8 * 2 ** 20;
const MAX_LINK_BYTES = 512;
const MAX_ENTRIES = 100_000;

/** Reads a file in /proc or /sys, for which Deno needs all permissions. Throws if unreadable. */
export function readKernelFile(path: string, maxBytes: number = MAX_FILE_BYTES): string {
  const text = readText(openLibc(), path, maxBytes);
  if (text === null) throw new Error(`Cannot read "${path}"`);
  return text;
}

/** Counts the entries of a folder like /proc/self/fd. */
export function countKernelEntries(path: string): number {
  const names = listNames(openLibc(), path);
  if (names === null) throw new Error(`Cannot open "${path}"`);
  return names.length - 1;
}

/** A kernel file kept open for writing. Opening throws. */
export class KernelFile {
  readonly #libc: Libc;
  readonly #fd: number;

  constructor(path: string) {
    this.#libc = openLibc();
    this.#fd = this.#libc.open(cString(path), O.WRONLY | O.CLOEXEC);
    if (this.#fd < 0) throw new Error(`Cannot open "${path}" for writing`);
  }

  /** Returns false if refused or replaced. */
  write(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    return this.#libc.write(this.#fd, bytes, bytes.length) >= bytes.length;
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}

/** Files, folders and links in /proc and /sys; null or empty if unreadable. */
export class KernelTree {
  readonly #libc: Libc;

  /** Throws without glibc or FFI. */
  constructor() {
    this.#libc = openLibc();
  }

  read(path: string): string | null {
    return readText(this.#libc, path, MAX_LIST_BYTES);
  }

  list(path: string): string[] {
    return listNames(this.#libc, path) ?? [];
  }

  readLink(path: string): string | null {
    const bytes = new Uint8Array(MAX_LINK_BYTES);
    const length = this.#libc.readlink(cString(path), bytes, bytes.length);
    return length < 0 ? null : new TextDecoder().decode(bytes.subarray(0, length));
  }
}

function readText(libc: Libc, path: string, maxBytes: number): string | null {
  const fd = libc.open(cString(path), O.CLOEXEC);
  if (fd < 0) return null;
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let size = 0; size < maxBytes;) {
      const count = libc.read(fd, chunk, Math.min(chunk.length, maxBytes - size));
      if (count < 0) return null;
      if (count === 0) break;
      size += count;
      text += decoder.decode(chunk.subarray(0, count), { stream: true });
    }
    return text + decoder.decode();
  } finally {
    libc.close(fd);
  }
}

/** At most 100,000; null if unreadable. */
function listNames(libc: Libc, path: string): string[] | null {
  const folder = libc.opendir(cString(path));
  if (folder === null) return null;
  const names: string[] = [];
  for (let entry; names.length < MAX_ENTRIES && (entry = libc.readdir(folder)) !== null;) {
    const name = new Deno.UnsafePointerView(entry).getCString(DIRENT.name);
    if (name !== "." && name !== "..") names.push(name);
  }
  libc.closedir(folder);
  return names;
}
