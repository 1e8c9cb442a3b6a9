import { AF, MSG, SOCK } from "./constants.ts";
import { lastErrorText, type Libc, openLibc } from "./libc.ts";

/** `sun_path` in `struct sockaddr_un` (unix(7)). */
const PATH_SIZE = 108;
const PATH_AT = 2;

/** Address of a path or abstract name (`@…`). Throws for other names. */
export function unixAddress(name: string): Uint8Array {
  const abstract = name.startsWith("@");
  if ((!abstract && !name.startsWith("/")) || name.length < 2 || name.includes("\0")) {
    throw new TypeError(`"${name}" is neither a path nor "@" with an abstract name`);
  }
  const text = new TextEncoder().encode(name);
  // Only paths are zero-terminated.
  const length = abstract ? text.length : text.length + 1;
  if (length > PATH_SIZE) {
    throw new RangeError(`"${name}" is too long for a socket (${PATH_SIZE} octets at most)`);
  }
  const address = new Uint8Array(PATH_AT + length);
  new DataView(address.buffer).setUint16(0, AF.UNIX, true);
  address.set(text, PATH_AT);
  if (abstract) address[PATH_AT] = 0;
  return address;
}

/** Non-blocking sender to one Unix socket; Deno has no stable API for that. */
export class UnixDatagramSender {
  readonly #libc: Libc;
  readonly #address: Uint8Array;
  readonly #fd: number;

  constructor(name: string) {
    this.#address = unixAddress(name);
    this.#libc = openLibc();
    this.#fd = this.#libc.socket(AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0);
    if (this.#fd < 0) throw new Error(`Cannot open a Unix socket: ${lastErrorText()}`);
  }

  /** False without receiver or room. */
  send(bytes: Uint8Array): boolean {
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    const address = this.#address;
    return this.#libc.sendto(this.#fd, bytes, bytes.length, flags, address, address.length) ===
      bytes.length;
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}
