import { DIRENT, O_CLOEXEC } from "./constants.ts";

const SYMBOLS = {
  /** int open(const char *path, int flags) */
  open: { parameters: ["buffer", "i32"], result: "i32" },
  /** ssize_t read(int fd, void *buf, size_t n) */
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
  /** DIR *opendir(const char *name) */
  opendir: { parameters: ["buffer"], result: "pointer" },
  /** struct dirent *readdir(DIR *dir) */
  readdir: { parameters: ["pointer"], result: "pointer" },
  /** int closedir(DIR *dir) */
  closedir: { parameters: ["pointer"], result: "i32" },
  /** ssize_t readlink(const char *path, char *buf, size_t size) */
  readlink: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const MAX_ENTRIES = 100_000;
const MAX_LINK_SIZE = 512;
const CHUNK_SIZE = 65_536;
/** Lists of sockets are long on a busy machine. */
const MAX_FILE_SIZE = 8 << 20;

/**
 * Files, folders and links of the kernel's below /proc and /sys, which Deno itself reads only with
 * every right there is. What cannot be read is null or empty, since most of it comes and goes.
 */
export class KernelTree {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #chunk = new Uint8Array(CHUNK_SIZE);

  /** Throws if there is no glibc or FFI is not allowed. */
  constructor() {
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
  }

  /** Text of a file, its first 8 MiB; null if it cannot be read. */
  read(path: string): string | null {
    const { open, read, close } = this.#library.symbols;
    const fd = open(zeroEnded(path), O_CLOEXEC);
    if (fd < 0) return null;
    const decoder = new TextDecoder();
    let text = "";
    try {
      for (let size = 0; size < MAX_FILE_SIZE;) {
        const count = read(fd, this.#chunk, CHUNK_SIZE);
        if (count < 0) return null;
        if (count === 0) break;
        size += count;
        text += decoder.decode(this.#chunk.subarray(0, count), { stream: true });
      }
      return text + decoder.decode();
    } finally {
      close(fd);
    }
  }

  /** Names in a folder, at most 100,000; none if it cannot be read. */
  list(path: string): string[] {
    const { opendir, readdir, closedir } = this.#library.symbols;
    const folder = opendir(zeroEnded(path));
    if (folder === null) return [];
    const names: string[] = [];
    while (names.length < MAX_ENTRIES) {
      const entry = readdir(folder);
      if (entry === null) break;
      const name = new Deno.UnsafePointerView(entry).getCString(DIRENT.name);
      if (name !== "." && name !== "..") names.push(name);
    }
    closedir(folder);
    return names;
  }

  /** What a link says; null if it cannot be read. */
  readLink(path: string): string | null {
    const length = this.#library.symbols.readlink(zeroEnded(path), this.#chunk, MAX_LINK_SIZE);
    return length < 0 ? null : new TextDecoder().decode(this.#chunk.subarray(0, length));
  }

  close(): void {
    this.#library.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function zeroEnded(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${path}\0`);
}
