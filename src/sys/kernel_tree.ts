import { listNames, readText } from "./kernel_file.ts";
import { cString, type Libc, openLibc } from "./libc.ts";

/** Socket lists are long. */
const MAX_FILE_BYTES = 8 * 2 ** 20;
const MAX_LINK_BYTES = 512;

/** Files, folders and links in /proc and /sys; null or empty if unreadable. */
export class KernelTree {
  readonly #libc: Libc;

  /** Throws without glibc or FFI. */
  constructor() {
    this.#libc = openLibc();
  }

  read(path: string): string | null {
    return readText(this.#libc, path, MAX_FILE_BYTES);
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
