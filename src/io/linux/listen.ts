import { Address, parseAddress } from "../../dns/address.ts";
import {
  AF,
  IP_PKTINFO,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  SO,
  SOCK,
  SOL,
} from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";
import { scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import { adopt, sameAddress } from "./inherited.ts";
import { BACKLOG, BUFFER_BYTES } from "./room.ts";
import type { BoundSocket, InheritedSocket, ListenPlace, ListenTarget } from "../sockets.ts";

/** The sockets that a listener needs, IPv4 before IPv6; both families where `address` is empty. */
export function listenPlaces(libc: Libc, { address, port }: ListenTarget): ListenPlace[] {
  const hosts = address === "" ? ["0.0.0.0", "::"] : [address];
  return hosts.flatMap((host) => {
    const target = resolve(libc, host, port);
    const wildcard = target.bytes.every((octet) => octet === 0);
    return (["udp", "tcp"] as const).map((kind) => ({ kind, target, wildcard }));
  });
}

/**
 * Opens the UDP and TCP sockets of one listener; both families where `address` is empty.
 *
 * They share their addresses (SO_REUSEPORT): with the other data planes of the process, with a
 * process of the same user that takes this one's place, and a socket on all addresses with those on
 * single ones. Throws an error that names the address and says what would do.
 *
 * @param inherited - sockets of this listener that the process was started with: they are used, not
 * bound anew
 */
export function bindListener(
  libc: Libc,
  listener: ListenTarget & { index: number },
  inherited: readonly InheritedSocket[] = [],
): BoundSocket[] {
  const { address, index } = listener;
  const sockets: BoundSocket[] = [];
  try {
    for (const socket of inherited) {
      const { kind, family, wildcard, dual } = socket;
      const { port } = listener;
      const own = { kind, listener: index, port, family, wildcard, inherited: { dual } };
      sockets.push({ fd: adopt(libc, socket), ...own });
    }
    for (const { kind, target, wildcard } of listenPlaces(libc, listener)) {
      const covered = inherited.some((socket) =>
        socket.kind === kind &&
        (sameAddress(socket.address, target) || (socket.dual && wildcard && address === ""))
      );
      if (covered) continue;
      const fd = bindOne(libc, { kind, target, wildcard });
      if (kind === "tcp" && libc.listen(fd, BACKLOG) < 0) throw refused(libc, fd, { kind, target });
      const { family, port } = target;
      sockets.push({ fd, kind, listener: index, port, family, wildcard });
    }
  } catch (error) {
    // A host without IPv6 still serves IPv4.
    const noIPv6 = error instanceof FamilyError && address === "" && sockets.length >= 2;
    if (noIPv6) return sockets;
    closeAll(libc, sockets);
    throw error;
  }
  return sockets;
}

/** Closes sockets that `bindListener` opened. */
export function closeAll(libc: Libc, sockets: readonly BoundSocket[]): void {
  for (const { fd } of sockets) libc.close(fd);
}

/** Binds a place and lets it go again. Throws as `bindListener`. */
export function tryBind(libc: Libc, place: ListenPlace): void {
  try {
    libc.close(bindOne(libc, place));
  } catch (error) {
    if (!(error instanceof FamilyError)) throw error;
  }
}

class FamilyError extends Error {}

/** Opens one socket; TCP does not listen yet. */
function bindOne(libc: Libc, { kind, target, wildcard }: ListenPlace): number {
  const domain = target.family === 4 ? AF.INET : AF.INET6;
  const type = (kind === "udp" ? SOCK.DGRAM : SOCK.STREAM) | SOCK.NONBLOCK | SOCK.CLOEXEC;
  const where = `${describe(target)} (${kind})`;
  const fd = libc.socket(domain, type, 0);
  if (fd < 0) throw new FamilyError(`Cannot listen on ${where}: ${lastErrorText()}`);
  const on = new Int32Array([1]);
  const set = (level: number, name: number, value = on) =>
    libc.setsockopt(fd, level, name, value, 4);
  if (kind === "tcp") set(SOL.SOCKET, SO.REUSEADDR);
  set(SOL.SOCKET, SO.REUSEPORT);
  if (target.family === 6) set(SOL.IPV6, IPV6_V6ONLY);
  if (kind === "udp") {
    const size = new Int32Array([BUFFER_BYTES]);
    set(SOL.SOCKET, SO.RCVBUF, size);
    set(SOL.SOCKET, SO.SNDBUF, size);
    if (wildcard) {
      if (target.family === 4) set(SOL.IP, IP_PKTINFO);
      else set(SOL.IPV6, IPV6_RECVPKTINFO);
    }
  }
  const name = new Uint8Array(SOCKADDR_SIZE);
  const length = writeSockaddr(target, name);
  if (libc.bind(fd, name, length) < 0) throw refused(libc, fd, { kind, target });
  return fd;
}

/** The error of the last call, about a socket that is of no use then. */
function refused(
  libc: Libc,
  fd: number,
  { kind, target }: Pick<ListenPlace, "kind" | "target">,
): Error {
  const why = lastErrorText();
  libc.close(fd);
  return new Error(`Cannot listen on ${describe(target)} (${kind}): ${why}${remedy(why)}`);
}

function describe(address: Address): string {
  const host = address.hostname();
  return address.family === 4 ? `${host}:${address.port}` : `[${host}]:${address.port}`;
}

function remedy(why: string): string {
  switch (why) {
    case "address already in use":
      return " (another server listens there: stop it, `bind` another address, or choose another" +
        " port: behind the zone, as in .:1053, or with -dns.port where the zone has none)";
    case "permission denied":
      return " (ports below 1024 need CAP_NET_BIND_SERVICE or root; or choose another port:" +
        " behind the zone, as in .:1053, or with -dns.port where the zone has none)";
    case "address not available":
      return " (no interface of this host has the address: add it, or `bind` another)";
    default:
      return "";
  }
}

/** Socket address of text that the configuration has checked; a scope may be a name. */
function resolve(libc: Libc, host: string, port: number): Address {
  const [text, scope] = host.split("%");
  const bytes = parseAddress(text!);
  if (bytes === null) throw new TypeError(`Cannot listen on "${host}": not an IP address`);
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  address.scope = scopeIndex(libc, scope ?? "");
  return address;
}
