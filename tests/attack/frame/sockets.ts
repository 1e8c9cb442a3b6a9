/**
 * Sockets by the C library: any source address, receive buffers of any size, resets, and thousands
 * in one thread.
 */

const SYMBOLS = {
  /** int socket(int domain, int type, int protocol) */
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** int bind(int fd, const struct sockaddr *addr, socklen_t len) */
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int connect(int fd, const struct sockaddr *addr, socklen_t len) */
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int setsockopt(int fd, int level, int name, const void *value, socklen_t len) */
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  /** ssize_t send(int fd, const void *buf, size_t len, int flags) */
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  /** ssize_t recv(int fd, void *buf, size_t len, int flags) */
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  /** int poll(struct pollfd *fds, nfds_t nfds, int timeout) */
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
  /** int shutdown(int fd, int how) */
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_INET = 2;
const SOCK = { STREAM: 1, DGRAM: 2, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 };
const SOL_SOCKET = 1;
const SO = { REUSEADDR: 2, RCVBUF: 8, LINGER: 13, REUSEPORT: 15 };
const SOL_IP = 0;
/** The port is chosen at connect, so that connections to several peers can share it. */
const IP_BIND_ADDRESS_NO_PORT = 24;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;

/** Events of poll. */
export const POLL = { IN: 1, OUT: 4, ERR: 8, HUP: 16 } as const;

const POLLFD = 8;
const MAX_MESSAGE = 65535;

const { symbols: libc } = Deno.dlopen("libc.so.6", SYMBOLS);
const scratch = new Uint8Array(MAX_MESSAGE + 2);

export interface Endpoint {
  readonly address: string;
  /** For a source, 0 lets the kernel choose. */
  readonly port: number;
}

export interface SocketOptions {
  readonly receiveBytes?: number;
}

/** A non-blocking socket, connected or connecting. */
export class Socket {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  static udp(source: Endpoint, peer: Endpoint, options: SocketOptions = {}): Socket {
    return Socket.#open(SOCK.DGRAM, source, { peer, ...options });
  }

  static tcp(source: Endpoint, peer: Endpoint, options: SocketOptions = {}): Socket {
    return Socket.#open(SOCK.STREAM, source, { peer, ...options });
  }

  /** A UDP socket bound beside others (SO_REUSEPORT); null if the kernel refuses. */
  static bindBeside(at: Endpoint, transport: "udp" | "tcp"): Socket | null {
    const fd = libc.socket(AF_INET, transport === "udp" ? SOCK.DGRAM : SOCK.STREAM, 0);
    setInt(fd, SO.REUSEPORT, 1);
    if (libc.bind(fd, sockaddr(at), 16) === 0) return new Socket(fd);
    libc.close(fd);
    return null;
  }

  static #open(
    type: number,
    source: Endpoint,
    options: SocketOptions & { peer: Endpoint },
  ): Socket {
    const fd = libc.socket(AF_INET, type | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
    if (fd < 0) throw new Error("Cannot open a socket: out of descriptors?");
    setInt(fd, SO.REUSEADDR, 1);
    libc.setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, Int32Array.of(1), 4);
    if (options.receiveBytes !== undefined) setInt(fd, SO.RCVBUF, options.receiveBytes);
    if (libc.bind(fd, sockaddr(source), 16) !== 0) {
      libc.close(fd);
      throw new Error(`Cannot bind ${source.address}:${source.port}`);
    }
    libc.connect(fd, sockaddr(options.peer), 16);
    return new Socket(fd);
  }

  /** Returns the number of sent octets, or -1 on failure. */
  send(bytes: Uint8Array): number {
    return libc.send(this.fd, bytes as Uint8Array<ArrayBuffer>, bytes.length, MSG_NOSIGNAL);
  }

  /** Up to `limit` received octets; null without any, empty if the peer has closed. */
  receive(limit: number = MAX_MESSAGE): Uint8Array | null {
    const count = libc.recv(this.fd, scratch, Math.min(limit, scratch.length), 0);
    return count < 0 ? null : scratch.slice(0, count);
  }

  /** Discards input; returns the number of reads and octets. */
  drain(): { count: number; bytes: number } {
    let count = 0;
    let bytes = 0;
    for (;;) {
      const got = libc.recv(this.fd, scratch, scratch.length, 0);
      if (got <= 0) return { count, bytes };
      count++;
      bytes += got;
    }
  }

  finish(): void {
    libc.shutdown(this.fd, SHUT_WR);
  }

  close(): void {
    libc.close(this.fd);
  }

  reset(): void {
    libc.setsockopt(this.fd, SOL_SOCKET, SO.LINGER, Int32Array.of(1, 0), 8);
    libc.close(this.fd);
  }
}

export interface Interest {
  readonly fd: number;
  readonly events: number;
}

/** Blocks until an event, at most `timeoutMs`; returns the events of each in order. */
export function poll(interests: readonly Interest[], timeoutMs: number): number[] {
  const view = new DataView(new ArrayBuffer(POLLFD * interests.length));
  interests.forEach(({ fd, events }, i) => {
    view.setInt32(POLLFD * i, fd, true);
    view.setInt16(POLLFD * i + 4, events, true);
  });
  libc.poll(new Uint8Array(view.buffer), interests.length, timeoutMs);
  return interests.map((_, i) => view.getInt16(POLLFD * i + 6, true));
}

/** Connections that are broken or closed by the peer. */
export function closedOf(sockets: readonly Socket[]): Set<Socket> {
  const events = poll(sockets.map(({ fd }) => ({ fd, events: 0x2000 })), 0); // POLLRDHUP
  return new Set(sockets.filter((_, i) => (events[i]! & (0x2000 | POLL.ERR | POLL.HUP)) !== 0));
}

function setInt(fd: number, name: number, value: number): void {
  libc.setsockopt(fd, SOL_SOCKET, name, Int32Array.of(value), 4);
}

function sockaddr({ address, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const octets = address.split(".").map(Number);
  return Uint8Array.of(AF_INET, 0, port >> 8, port, ...octets, ...new Uint8Array(8));
}
