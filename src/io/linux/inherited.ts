/**
 * Sockets that the process was started with (socket activation): what they are, and how one is made
 * fit to be served.
 *
 * Whoever opened them keeps them too, so a query that comes while nodens is started again waits in
 * the kernel; and closing one here does not close it there.
 */
import { Address } from "../../dns/address.ts";
import {
  AF,
  F,
  FD_CLOEXEC,
  IP_PKTINFO,
  IPPROTO,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  O_NONBLOCK,
  SO,
  SOCK,
  SOL,
} from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import { BACKLOG, BUFFER_BYTES } from "./room.ts";
import type { InheritedSocket } from "../sockets.ts";

/**
 * Inspects a descriptor: a socket for queries, or in words why it is not. `ours` is false where it
 * was not handed over at all, so that it must be left alone.
 */
export function inspectDescriptor(
  libc: Libc,
  { fd, name }: { fd: number; name: string },
): InheritedSocket | { unfit: string; ours: boolean } {
  const flags = libc.fcntl(fd, F.GETFD, 0);
  if (flags < 0) return { unfit: "it is not open", ours: false };
  // Nothing with this flag gets past the start of a program: the runtime has opened it since.
  if ((flags & FD_CLOEXEC) !== 0) return { unfit: "it was not handed over", ours: false };
  const type = option(libc, fd, SOL.SOCKET, SO.TYPE);
  if (type === null) return { unfit: "it is no socket", ours: true };
  const bytes = new Uint8Array(SOCKADDR_SIZE);
  const view = new DataView(bytes.buffer);
  libc.getsockname(fd, bytes, new Uint32Array([SOCKADDR_SIZE]));
  const family = view.getUint16(0, true);
  if (family !== AF.INET && family !== AF.INET6) {
    return { unfit: "it has no IP address (write ListenDatagram=ADDRESS:PORT)", ours: true };
  }
  const protocol = option(libc, fd, SOL.SOCKET, SO.PROTOCOL);
  const udp = type === SOCK.DGRAM && protocol === IPPROTO.UDP;
  if (!udp && !(type === SOCK.STREAM && protocol === IPPROTO.TCP)) {
    return { unfit: "it is neither UDP nor TCP", ours: true };
  }
  if (libc.getpeername(fd, new Uint8Array(SOCKADDR_SIZE), new Uint32Array([SOCKADDR_SIZE])) === 0) {
    return { unfit: "it is connected to one client (write Accept=no)", ours: true };
  }
  const address = new Address();
  readSockaddr(view, 0, address);
  const wildcard = address.bytes.every((octet) => octet === 0);
  return {
    fd,
    name,
    kind: udp ? "udp" : "tcp",
    family: address.family,
    address,
    wildcard,
    dual: wildcard && family === AF.INET6 && option(libc, fd, SOL.IPV6, IPV6_V6ONLY) === 0,
    reusePort: option(libc, fd, SOL.SOCKET, SO.REUSEPORT) === 1,
  };
}

/**
 * Makes a socket like those that nodens opens itself, and returns a descriptor of its own for it, so
 * that a listener that goes with one configuration may come back with the next.
 *
 * Throws an error that names the address.
 */
export function adopt(libc: Libc, socket: InheritedSocket): number {
  const { kind, family, wildcard, address } = socket;
  const fd = libc.fcntl(socket.fd, F.DUPFD_CLOEXEC, 0);
  if (fd < 0) throw new Error(`Cannot use ${nameSocket(socket)}: ${lastErrorText()}`);
  libc.fcntl(fd, F.SETFL, libc.fcntl(fd, F.GETFL, 0) | O_NONBLOCK);
  const on = new Int32Array([1]);
  if (kind === "tcp") {
    // Listening again does no harm: it sets how many connections may wait.
    if (libc.listen(fd, BACKLOG) < 0) {
      const why = lastErrorText();
      libc.close(fd);
      throw new Error(`Cannot listen on ${address.hostname()} port ${address.port} (tcp): ${why}`);
    }
    return fd;
  }
  for (const buffer of [SO.RCVBUF, SO.SNDBUF]) enlarge(libc, fd, buffer);
  if (wildcard) {
    if (family === 4) libc.setsockopt(fd, SOL.IP, IP_PKTINFO, on, 4);
    else libc.setsockopt(fd, SOL.IPV6, IPV6_RECVPKTINFO, on, 4);
  }
  return fd;
}

/** Whether both are the same address and port. */
export function sameAddress(one: Address, other: Address): boolean {
  return one.family === other.family && one.port === other.port && one.scope === other.scope &&
    one.bytes.every((octet, i) => octet === other.bytes[i]);
}

/** The socket in words: address, port, type, descriptor and name. */
export function nameSocket({ fd, name, kind, address }: InheritedSocket): string {
  const host = address.family === 4 ? address.hostname() : `[${address.hostname()}]`;
  const from = name === "" ? `descriptor ${fd}` : `descriptor ${fd}, ${name}`;
  return `the handed-over socket ${host}:${address.port} (${kind}, ${from})`;
}

/** Whoever opened the socket may give it more room than this process may: then it stays. */
function enlarge(libc: Libc, fd: number, buffer: number): void {
  const trial = libc.socket(AF.INET, SOCK.DGRAM | SOCK.CLOEXEC, 0);
  if (trial < 0) return;
  const size = new Int32Array([BUFFER_BYTES]);
  libc.setsockopt(trial, SOL.SOCKET, buffer, size, 4);
  const allowed = option(libc, trial, SOL.SOCKET, buffer) ?? 0;
  libc.close(trial);
  if (allowed > (option(libc, fd, SOL.SOCKET, buffer) ?? 0)) {
    libc.setsockopt(fd, SOL.SOCKET, buffer, size, 4);
  }
}

/** Value of an integer option, or null where there is none. */
function option(libc: Libc, fd: number, level: number, name: number): number | null {
  const value = new Int32Array(1);
  const size = new Uint32Array([4]);
  return libc.getsockopt(fd, level, name, value, size) < 0 ? null : value[0]!;
}
