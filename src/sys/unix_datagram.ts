import { AF, MSG, SOCK } from "./constants.ts";

const SYMBOLS = {
  /** int socket(int domain, int type, int protocol) */
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *, socklen_t) */
  sendto: { parameters: ["i32", "buffer", "u32", "i32", "buffer", "u32"], result: "i32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Size of `sun_path` in `struct sockaddr_un` (unix(7)). */
const PATH_SIZE = 108;
/** What precedes it: the family. */
const PATH_AT = 2;

/**
 * Socket address of a path, or, where it begins with `@`, of an abstract name, as service managers
 * write it. Throws if it is neither, or too long.
 */
export function unixAddress(name: string): Uint8Array {
  const abstract = name.startsWith("@");
  if ((!abstract && !name.startsWith("/")) || name.length < 2 || name.includes("\0")) {
    throw new TypeError(`"${name}" is neither a path nor "@" with an abstract name`);
  }
  const text = new TextEncoder().encode(name);
  // A path ends with a zero octet; an abstract name is as long as the address says.
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

/** Sends datagrams to one unix socket, which Deno has no stable call for. Never waits. */
export class UnixDatagramSender {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #address: Uint8Array;
  readonly #fd: number;

  /** Throws if there is no glibc, no FFI, or `name` is no address. */
  constructor(name: string) {
    this.#address = unixAddress(name);
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
    this.#fd = this.#library.symbols.socket(AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0);
    if (this.#fd >= 0) return;
    this.#library.close();
    throw new Error("a unix socket cannot be opened");
  }

  /** Sends one datagram; false if the receiver is not there or has no room now. */
  send(bytes: Uint8Array): boolean {
    const { sendto } = this.#library.symbols;
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    const address = this.#address;
    return sendto(this.#fd, bytes, bytes.length, flags, address, address.length) === bytes.length;
  }

  /** Closes the socket. */
  close(): void {
    this.#library.symbols.close(this.#fd);
    this.#library.close();
  }
}
