import { listNames, readText } from "./kernel_file.ts";
import { cString, type Libc, openLibc } from "./libc.ts";

/** Lists of sockets are long on a busy machine. */
const MAX_FILE_BYTES = 8 * 2 ** 20;
const MAX_LINK_BYTES = 512;

/** Files, folders and links below /proc and /sys; unreadable ones are null or empty. */
export class KernelTree {
  readonly #libc: Libc;

  /** Throws if there is no glibc or FFI is not allowed. */
  constructor() {
    this.#libc = openLibc();
  }

  /** The first 8 MiB of a file; null if it cannot be read. */
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
