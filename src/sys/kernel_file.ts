import { O_CLOEXEC, O_WRONLY } from "./constants.ts";

const SYMBOLS = {
  /** int open(const char *path, int flags) */
  open: { parameters: ["buffer", "i32"], result: "i32" },
  /** ssize_t read(int fd, void *buf, size_t n) */
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** ssize_t write(int fd, const void *buf, size_t n) */
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
  /** DIR *opendir(const char *name) */
  opendir: { parameters: ["buffer"], result: "pointer" },
  /** struct dirent *readdir(DIR *dir) */
  readdir: { parameters: ["pointer"], result: "pointer" },
  /** int closedir(DIR *dir) */
  closedir: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Larger than every file that is read but `smaps`. */
const MAX_BYTES = 65536;

/**
 * Text of a file of the kernel's, below /proc or /sys, which Deno itself reads only with every
 * right there is. Throws if there is no glibc, no FFI, or the file cannot be read. What is beyond
 * `maxBytes` is left out.
 */
export function readKernelFile(path: string, maxBytes = MAX_BYTES): string {
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const { open, read, close } = library.symbols;
    const fd = open(new TextEncoder().encode(`${path}\0`), O_CLOEXEC);
    if (fd < 0) throw new Error(`Cannot open "${path}"`);
    try {
      const bytes = new Uint8Array(maxBytes);
      let length = 0;
      while (length < maxBytes) {
        const count = read(fd, bytes.subarray(length), maxBytes - length);
        if (count < 0) throw new Error(`Cannot read "${path}"`);
        if (count === 0) break;
        length += count;
      }
      return new TextDecoder().decode(bytes.subarray(0, length));
    } finally {
      close(fd);
    }
  } finally {
    library.close();
  }
}

/** How many entries a folder of the kernel's has, the one for reading it not counted. */
export function countKernelEntries(path: string): number {
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const { opendir, readdir, closedir } = library.symbols;
    const folder = opendir(new TextEncoder().encode(`${path}\0`));
    if (folder === null) throw new Error(`Cannot open "${path}"`);
    let count = 0;
    while (readdir(folder) !== null) count++;
    closedir(folder);
    // "." and ".." are no entries, and one is that of the folder itself.
    return count - 3;
  } finally {
    library.close();
  }
}

/** A file of the kernel's that is written to again and again, kept open. */
export class KernelFile {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #fd: number;

  /** Throws if there is no glibc, no FFI, or the file cannot be opened for writing. */
  constructor(path: string) {
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
    this.#fd = this.#library.symbols.open(
      new TextEncoder().encode(`${path}\0`),
      O_WRONLY | O_CLOEXEC,
    );
    if (this.#fd >= 0) return;
    this.#library.close();
    throw new Error(`Cannot open "${path}" for writing`);
  }

  /** Writes by one call; false if the kernel refused, or the file is no longer what it was. */
  write(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    return this.#library.symbols.write(this.#fd, bytes, bytes.length) >= bytes.length;
  }

  close(): void {
    this.#library.symbols.close(this.#fd);
    this.#library.close();
  }
}
