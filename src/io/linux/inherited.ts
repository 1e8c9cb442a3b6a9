/** Sockets of socket activation: their opener keeps them, so queries survive a restart. */
import { F, FD_CLOEXEC, IPPROTO, IPV6, SO, SOCK, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { hostPort, isWildcard, readLocalAddress, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import { readOption } from "../../sys/socket_options.ts";
import type { InheritedSocket } from "../sockets.ts";

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
  const dual = address.family === 6 && isWildcard(address) &&
    readOption(libc, fd, SOL.IPV6, IPV6.V6ONLY) === 0;
  return {
    ...{ fd, name, kind: udp ? "udp" : "tcp", address, dual },
    reusePort: readOption(libc, fd, SOL.SOCKET, SO.REUSEPORT) === 1,
  };
}

/** Describes a socket by address, type, descriptor and name. */
export function nameSocket({ fd, name, kind, address }: InheritedSocket): string {
  const from = name === "" ? `descriptor ${fd}` : `descriptor ${fd}, ${name}`;
  return `the handed-over socket ${hostPort(address)} (${kind}, ${from})`;
}
