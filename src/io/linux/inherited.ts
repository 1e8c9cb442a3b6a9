/** Sockets of socket activation: their opener keeps them, so queries survive a restart. */
import type { Address } from "../../dns/address.ts";
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
import { readOption, setOption } from "../../sys/mark.ts";
import { hostPort, isWildcard, readLocalAddress, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import type { InheritedSocket } from "../sockets.ts";

/** Maximum connections waiting for accept. */
export const BACKLOG = 1024;
/** A burst of some thousand queries. */
export const BUFFER_BYTES = 4 * 1024 * 1024;

/** A usable query socket, or why not; `ours`: handed over. */
export function inspectDescriptor(
  libc: Libc,
  { fd, name }: { fd: number; name: string },
): InheritedSocket | { unfit: string; ours: boolean } {
  const flags = libc.fcntl(fd, F.GETFD, 0);
  if (flags < 0) return { unfit: "it is not open", ours: false };
  // Opened by the runtime since.
  if ((flags & FD_CLOEXEC) !== 0) return { unfit: "it was not handed over", ours: false };
  const type = readOption(libc, fd, SOL.SOCKET, SO.TYPE);
  if (type === null) return { unfit: "it is not a socket", ours: true };
  const address = readLocalAddress(libc, fd);
  if (address === null) {
    return { unfit: "it has no IP address (write ListenDatagram=ADDRESS:PORT)", ours: true };
  }
  const protocol = readOption(libc, fd, SOL.SOCKET, SO.PROTOCOL);
  const udp = type === SOCK.DGRAM && protocol === IPPROTO.UDP;
  if (!udp && !(type === SOCK.STREAM && protocol === IPPROTO.TCP)) {
    return { unfit: "it is neither UDP nor TCP", ours: true };
  }
  if (libc.getpeername(fd, new Uint8Array(SOCKADDR_SIZE), new Uint32Array([SOCKADDR_SIZE])) === 0) {
    return { unfit: "it is connected to one client (write Accept=no)", ours: true };
  }
  const { family } = address;
  const wildcard = isWildcard(address);
  return {
    ...{ fd, name, kind: udp ? "udp" : "tcp", family, address, wildcard },
    dual: wildcard && family === 6 && readOption(libc, fd, SOL.IPV6, IPV6_V6ONLY) === 0,
    reusePort: readOption(libc, fd, SOL.SOCKET, SO.REUSEPORT) === 1,
  };
}

/** Duplicates and configures an inherited socket, for reuse. Throws with the address. */
export function adopt(libc: Libc, socket: InheritedSocket): number {
  const { kind, family, wildcard, address } = socket;
  const fd = libc.fcntl(socket.fd, F.DUPFD_CLOEXEC, 0);
  if (fd < 0) throw new Error(`Cannot use ${nameSocket(socket)}: ${lastErrorText()}`);
  libc.fcntl(fd, F.SETFL, libc.fcntl(fd, F.GETFL, 0) | O_NONBLOCK);
  if (kind === "tcp") {
    if (libc.listen(fd, BACKLOG) < 0) {
      const why = lastErrorText();
      libc.close(fd);
      throw new Error(`Cannot listen on ${address.hostname()} port ${address.port} (tcp): ${why}`);
    }
    return fd;
  }
  for (const buffer of [SO.RCVBUF, SO.SNDBUF]) enlarge(libc, fd, buffer);
  if (wildcard) requestDestinations(libc, fd, family);
  return fd;
}

/** Requests the destination address of each datagram. */
export function requestDestinations(libc: Libc, fd: number, family: 4 | 6): void {
  if (family === 4) setOption(libc, fd, SOL.IP, IP_PKTINFO);
  else setOption(libc, fd, SOL.IPV6, IPV6_RECVPKTINFO);
}

/** Whether address, port and scope are equal. */
export function sameAddress(one: Address, other: Address): boolean {
  return one.port === other.port && one.scope === other.scope && one.sameHost(other);
}

/** Describes a socket by address, type, descriptor and name. */
export function nameSocket({ fd, name, kind, address }: InheritedSocket): string {
  const from = name === "" ? `descriptor ${fd}` : `descriptor ${fd}, ${name}`;
  return `the handed-over socket ${hostPort(address)} (${kind}, ${from})`;
}

/** Enlarges a buffer, unless its opener could exceed this process's limit. */
function enlarge(libc: Libc, fd: number, buffer: number): void {
  const trial = libc.socket(AF.INET, SOCK.DGRAM | SOCK.CLOEXEC, 0);
  if (trial < 0) return;
  setOption(libc, trial, SOL.SOCKET, buffer, BUFFER_BYTES);
  const allowed = readOption(libc, trial, SOL.SOCKET, buffer) ?? 0;
  libc.close(trial);
  if (allowed > (readOption(libc, fd, SOL.SOCKET, buffer) ?? 0)) {
    setOption(libc, fd, SOL.SOCKET, buffer, BUFFER_BYTES);
  }
}
