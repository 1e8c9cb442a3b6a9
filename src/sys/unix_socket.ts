/**
 * Unix sockets that keep messages apart (SOCK_SEQPACKET) and carry descriptors (SCM_RIGHTS, unix(7)),
 * under abstract names: such a name belongs to the network namespace, goes with the process, and
 * leaves no file behind.
 */
const SYMBOLS = {
  /** int socket(int domain, int type, int protocol) */
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** int bind(int fd, const struct sockaddr *addr, socklen_t len) */
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int listen(int fd, int backlog) */
  listen: { parameters: ["i32", "i32"], result: "i32" },
  /** int connect(int fd, const struct sockaddr *addr, socklen_t len) */
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) */
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  /** int getsockopt(int fd, int level, int name, void *value, socklen_t *len) */
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  /** ssize_t sendmsg(int fd, const struct msghdr *msg, int flags) */
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** ssize_t recvmsg(int fd, struct msghdr *msg, int flags) */
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** int poll(struct pollfd *fds, nfds_t n, int timeout), on a thread of its own */
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32", nonblocking: true },
  /** uid_t getuid(void) */
  getuid: { parameters: [], result: "u32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_PEERCRED = 17;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const POLLIN = 1;
/** Longest abstract name: `sun_path` without its leading zero. */
const MAX_NAME = 107;
/** Longest message, in bytes. */
const MAX_MESSAGE = 65_536;
/** Most descriptors in one message (`SCM_MAX_FD` is 253). */
export const MAX_DESCRIPTORS = 128;
const CONTROL_HEADER = 16;
const BACKLOG = 8;

type Calls = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
let library: Deno.DynamicLibrary<typeof SYMBOLS> | null = null;

function open(): Calls {
  library ??= Deno.dlopen("libc.so.6", SYMBOLS);
  return library.symbols;
}

/** User of this process; asked of the C library, which needs no right of the runtime's. */
export function ownUser(): number {
  return open().getuid();
}

/** Waits until one of the descriptors can be read or has been closed, or `timeoutMs` have passed. */
export async function waitReadable(fds: readonly number[], timeoutMs: number): Promise<void> {
  // struct pollfd: int fd, short events, short revents.
  const words = new DataView(new ArrayBuffer(8 * Math.max(1, fds.length)));
  fds.forEach((fd, i) => {
    words.setInt32(8 * i, fd, true);
    words.setInt16(8 * i + 4, POLLIN, true);
  });
  await open().poll(new Uint8Array(words.buffer), fds.length, timeoutMs);
}

/** A listening socket. */
export class UnixListener {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Takes the name; null where another process has it. */
  static listen(name: string): UnixListener | null {
    const calls = open();
    const fd = calls.socket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK_CLOEXEC, 0);
    if (fd < 0) return null;
    const address = abstractAddress(name);
    if (calls.bind(fd, address, address.length) === 0 && calls.listen(fd, BACKLOG) === 0) {
      return new UnixListener(fd);
    }
    calls.close(fd);
    return null;
  }

  /** Somebody who has connected, or null where nobody has. */
  accept(): UnixPeer | null {
    const fd = open().accept4(this.fd, null, null, NONBLOCK_CLOEXEC);
    return fd < 0 ? null : new UnixPeer(fd);
  }

  /** Gives the name up. */
  close(): void {
    open().close(this.fd);
  }
}

/** One end of a connection. */
export class UnixPeer {
  readonly fd: number;
  #closed = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Connects to who has the name; null where nobody has. */
  static connect(name: string): UnixPeer | null {
    const calls = open();
    const fd = calls.socket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK_CLOEXEC, 0);
    if (fd < 0) return null;
    const address = abstractAddress(name);
    if (calls.connect(fd, address, address.length) === 0) return new UnixPeer(fd);
    calls.close(fd);
    return null;
  }

  /** User and process at the other end, as the kernel knows them. */
  get credentials(): { pid: number; uid: number } {
    const words = new Int32Array(3);
    const size = new Uint32Array([words.byteLength]);
    const bytes = new Uint8Array(words.buffer);
    if (open().getsockopt(this.fd, SOL_SOCKET, SO_PEERCRED, bytes, size) < 0) {
      return { pid: 0, uid: -1 };
    }
    return { pid: words[0]!, uid: words[1]! };
  }

  /**
   * Sends one message with copies of descriptors. False where it could not be sent: the peer is
   * gone, or does not read. Throws `RangeError` for what no message can hold.
   */
  send(text: string, fds: readonly number[] = []): boolean {
    const data = new TextEncoder().encode(text);
    if (data.length > MAX_MESSAGE || fds.length > MAX_DESCRIPTORS) {
      const what = `${data.length} bytes and ${fds.length} descriptors`;
      throw new RangeError(`Cannot send ${what}: ${MAX_MESSAGE} and ${MAX_DESCRIPTORS} are most`);
    }
    const control = new DataView(new ArrayBuffer(CONTROL_HEADER + 8 * Math.ceil(fds.length / 2)));
    control.setUint32(0, CONTROL_HEADER + 4 * fds.length, true);
    control.setInt32(8, SOL_SOCKET, true);
    control.setInt32(12, SCM_RIGHTS, true);
    fds.forEach((fd, i) => control.setInt32(CONTROL_HEADER + 4 * i, fd, true));
    const message = messageHeader(data, fds.length === 0 ? null : control);
    const sent = open().sendmsg(this.fd, message.bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 && message.keep.length > 0;
  }

  /** The next message; "none" where none has come, "closed" where none will. */
  receive(): { text: string; fds: number[] } | "none" | "closed" {
    if (this.#closed) return "closed";
    const data = new Uint8Array(MAX_MESSAGE);
    const control = new DataView(new ArrayBuffer(CONTROL_HEADER + 4 * MAX_DESCRIPTORS));
    const message = messageHeader(data, control);
    const length = open().recvmsg(this.fd, message.bytes, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // Nobody sends an empty message, so 0 is the end. What -1 means, the next look tells.
    if (length < 0 || message.keep.length === 0) return "none";
    if (length === 0) return "closed";
    const fds: number[] = [];
    const controlLength = message.view.getUint32(MSGHDR.controlLength, true);
    if (controlLength >= CONTROL_HEADER && control.getInt32(12, true) === SCM_RIGHTS) {
      const end = Math.min(control.getUint32(0, true), controlLength);
      for (let at = CONTROL_HEADER; at + 4 <= end; at += 4) fds.push(control.getInt32(at, true));
    }
    return { text: new TextDecoder().decode(data.subarray(0, length)), fds };
  }

  /** Hangs up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open().close(this.fd);
  }
}

/** Closes descriptors that came with a message and are not wanted. */
export function closeDescriptors(fds: readonly number[]): void {
  for (const fd of fds) open().close(fd);
}

/** Layout of `struct msghdr` on 64-bit systems. */
const MSGHDR = { size: 56, iov: 16, iovLength: 24, control: 32, controlLength: 40 } as const;

function messageHeader(
  data: Uint8Array<ArrayBuffer>,
  control: DataView<ArrayBuffer> | null,
): { bytes: Uint8Array<ArrayBuffer>; view: DataView; keep: readonly unknown[] } {
  const vector = new BigUint64Array([addressOf(data), BigInt(data.length)]);
  const view = new DataView(new ArrayBuffer(MSGHDR.size));
  view.setBigUint64(MSGHDR.iov, addressOf(new Uint8Array(vector.buffer)), true);
  view.setBigUint64(MSGHDR.iovLength, 1n, true);
  if (control !== null) {
    const bytes = new Uint8Array(control.buffer);
    view.setBigUint64(MSGHDR.control, addressOf(bytes), true);
    view.setBigUint64(MSGHDR.controlLength, BigInt(bytes.length), true);
  }
  // They must live until the call is over, which looks at `keep` afterwards.
  return { bytes: new Uint8Array(view.buffer), view, keep: [vector, data, control] };
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  // An empty buffer has no address; nothing of it is read.
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

/** `struct sockaddr_un` of an abstract name: a zero, then the name. Throws for one too long. */
function abstractAddress(name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  if (text.length === 0 || text.length > MAX_NAME) {
    throw new RangeError(`Cannot use the name "${name}": it must have 1 to ${MAX_NAME} octets`);
  }
  const address = new Uint8Array(3 + text.length);
  address[0] = AF_UNIX;
  address.set(text, 3);
  return address;
}
