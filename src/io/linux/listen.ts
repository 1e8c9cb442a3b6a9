/** Listening sockets, opened here or handed over. */
import { AF, F, FD_CLOEXEC, IP, IPPROTO, IPV6, O, SO, SOCK, SOL } from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";
import { readOption, setOption } from "../../sys/socket_options.ts";
import {
  hostPort,
  isWildcard,
  openSocket,
  parseSocketAddress,
  readLocalAddress,
  sameAddress,
  SOCKADDR_SIZE,
  sockaddrOf,
} from "../../sys/sockaddr.ts";
import type { BoundAddress, BoundSocket, InheritedSocket, ListenTarget } from "../sockets.ts";
import { foreignHolder } from "./neighbours.ts";

/** Waiting for accept. */
const BACKLOG = 1024;
/** Some thousand queries. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** IPv4 before IPv6. */
export function addressesToBind(libc: Libc, { address, port }: ListenTarget): BoundAddress[] {
  const hosts = address === "" ? ["0.0.0.0", "::"] : [address];
  return hosts.flatMap((host) => {
    const target = parseSocketAddress(libc, host, port);
    if (target === null) throw new TypeError(`Cannot listen on "${host}": not an IP address`);
    return (["udp", "tcp"] as const).map((kind) => ({ kind, target }));
  });
}

/** With SO_REUSEPORT. Throws with the remedy. */
export function bindListener(
  libc: Libc,
  listener: ListenTarget & { index: number },
  inherited: readonly InheritedSocket[] = [],
): BoundSocket[] {
  const { address, index } = listener;
  const sockets: BoundSocket[] = [];
  const bound = (fd: number, { kind, target }: BoundAddress): BoundSocket => {
    const { family } = target;
    return { fd, kind, listener: index, family, wildcard: isWildcard(target) };
  };
  try {
    for (const socket of inherited) {
      const { kind, address: target, dual } = socket;
      sockets.push({ ...bound(adopt(libc, socket), { kind, target }), inherited: { dual } });
    }
    for (const place of addressesToBind(libc, listener)) {
      const { kind, target } = place;
      const covered = inherited.some((socket) =>
        socket.kind === kind &&
        (sameAddress(socket.address, target) || (socket.dual && address === ""))
      );
      if (covered) continue;
      const fd = bindOne(libc, place);
      if (kind === "tcp" && libc.listen(fd, BACKLOG) < 0) throw closeRefused(libc, fd, place);
      sockets.push(bound(fd, place));
    }
  } catch (error) {
    // Without IPv6, serve IPv4.
    if (error instanceof FamilyError && address === "" && sockets.length >= 2) return sockets;
    closeAll(libc, sockets);
    throw error;
  }
  return sockets;
}

/** Or why it is unusable; `ours`: handed over. */
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

/** Address, type, descriptor and name. */
export function nameSocket({ fd, name, kind, address }: InheritedSocket): string {
  const from = name === "" ? `descriptor ${fd}` : `descriptor ${fd}, ${name}`;
  return `the handed-over socket ${hostPort(address)} (${kind}, ${from})`;
}

/** Duplicates and configures a socket. Throws with the address. */
export function adopt(libc: Libc, socket: InheritedSocket): number {
  const { kind, address } = socket;
  const fd = libc.fcntl(socket.fd, F.DUPFD_CLOEXEC, 0);
  if (fd < 0) throw new Error(`Cannot use ${nameSocket(socket)}: ${lastErrorText()}`);
  libc.fcntl(fd, F.SETFL, libc.fcntl(fd, F.GETFL, 0) | O.NONBLOCK);
  if (kind === "tcp") {
    if (libc.listen(fd, BACKLOG) < 0) {
      const why = lastErrorText();
      libc.close(fd);
      throw new Error(`Cannot listen on ${address.hostname()} port ${address.port} (tcp): ${why}`);
    }
    return fd;
  }
  for (const buffer of [SO.RCVBUF, SO.SNDBUF]) enlarge(libc, fd, buffer);
  if (isWildcard(address)) requestDestinations(libc, fd, address.family);
  return fd;
}

/** Closes sockets. */
export function closeAll(libc: Libc, sockets: Iterable<BoundSocket>): void {
  for (const { fd } of sockets) libc.close(fd);
}

/** Also releases it. Throws as `bindListener` does. */
export function tryBind(libc: Libc, place: BoundAddress): void {
  try {
    libc.close(bindOne(libc, place));
  } catch (error) {
    if (!(error instanceof FamilyError)) throw error;
  }
}

/** Of received datagrams. */
function requestDestinations(libc: Libc, fd: number, family: 4 | 6): void {
  if (family === 4) setOption(libc, fd, SOL.IP, IP.PKTINFO);
  else setOption(libc, fd, SOL.IPV6, IPV6.RECVPKTINFO);
}

/** Unless its opener could exceed this process's limit. */
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

class FamilyError extends Error {}

/** TCP does not listen yet. */
function bindOne(libc: Libc, place: BoundAddress): number {
  const { kind, target } = place;
  const fd = openSocket(libc, target, kind === "udp" ? SOCK.DGRAM : SOCK.STREAM);
  if (fd < 0) {
    throw new FamilyError(`Cannot listen on ${hostPort(target)} (${kind}): ${lastErrorText()}`);
  }
  if (kind === "tcp") setOption(libc, fd, SOL.SOCKET, SO.REUSEADDR);
  setOption(libc, fd, SOL.SOCKET, SO.REUSEPORT);
  if (target.family === 6) setOption(libc, fd, SOL.IPV6, IPV6.V6ONLY);
  if (kind === "udp") {
    for (const buffer of [SO.RCVBUF, SO.SNDBUF]) {
      setOption(libc, fd, SOL.SOCKET, buffer, BUFFER_BYTES);
    }
    if (isWildcard(target)) requestDestinations(libc, fd, target.family);
  }
  const name = sockaddrOf(target);
  if (libc.bind(fd, name, name.length) < 0) throw closeRefused(libc, fd, place);
  return fd;
}

function closeRefused(libc: Libc, fd: number, place: BoundAddress): Error {
  const { kind, target } = place;
  const why = lastErrorText();
  libc.close(fd);
  const holder = why === IN_USE ? foreignHolder(place) : null;
  const remedy = holder === null ? REMEDIES[why] ?? "" : foreignRemedy(holder);
  return new Error(`Cannot listen on ${hostPort(target)} (${kind}): ${why}${remedy}`);
}

const IN_USE = "address already in use";

function foreignRemedy(uid: number): string {
  return ` by a server of user ${uid} (only processes of one user share an address, and this one` +
    ` is of user ${Deno.uid()}: stop the other, \`bind\` another address, or ${ANOTHER_PORT}`;
}

const ANOTHER_PORT = "choose another port: behind the zone, as in .:1053, or with -dns.port where" +
  " the zone has none)";
const REMEDIES: Readonly<Record<string, string>> = {
  [IN_USE]: ` (another server listens there: stop it, \`bind\` another address, or ${ANOTHER_PORT}`,
  "permission denied": ` (ports below 1024 need CAP_NET_BIND_SERVICE or root; or ${ANOTHER_PORT}`,
  "address not available":
    " (no interface of this host has the address: add it, or `bind` another)",
};
