/**
 * Other processes that are bound to the addresses of this one (SO_REUSEPORT; the kernel lets only
 * processes of the same user do that). Whether there are any is asked of the kernel, never of them.
 */
import { Address } from "../../dns/address.ts";
import { SOCKET_STATE } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import { type DiagnosedSocket, listSockets } from "../../sys/netlink/sock_diag.ts";
import { sameAddress } from "./inherited.ts";
import type { BoundPlace, BoundSocket, Neighbour } from "../sockets.ts";

/**
 * Which of `places` other processes accept queries at: by UDP sockets that are not turned away, and
 * by TCP sockets that listen. Throws if the kernel does not tell.
 *
 * @param own - cookies of this process's sockets
 */
export function findNeighbours(
  places: readonly BoundPlace[],
  own: ReadonlySet<bigint>,
): Neighbour[] {
  const others = listAt(places, "serving").filter(({ cookie }) => !own.has(cookie));
  return distinct(places).map(({ kind, target }) => ({
    kind,
    target,
    count: others.filter((one) => one.kind === kind && sameAddress(one.local, target)).length,
  })).filter(({ count }) => count > 0);
}

/** TCP handshakes under way at `places`, each by what tells it from others. */
export function listHandshakes(places: readonly BoundPlace[]): Set<string> {
  const tcp = places.filter(({ kind }) => kind === "tcp");
  return new Set(
    listAt(tcp, "handshake").map(({ local, peer }) =>
      `${local.port} ${peer.hostname()} ${peer.port}`
    ),
  );
}

/** The address that a socket is bound to. */
export function placeOf(libc: Libc, { fd, kind }: Pick<BoundSocket, "fd" | "kind">): BoundPlace {
  const name = new Uint8Array(SOCKADDR_SIZE);
  libc.getsockname(fd, name, new Uint32Array([SOCKADDR_SIZE]));
  const target = new Address();
  readSockaddr(new DataView(name.buffer), 0, target);
  return { kind, target };
}

/** The address in words: `127.0.0.1:53`. */
export function placeText({ target }: { target: Address }): string {
  const scope = target.scope === 0 ? "" : `%${target.scope}`;
  const host = `${target.hostname()}${scope}`;
  return target.family === 4 ? `${host}:${target.port}` : `[${host}]:${target.port}`;
}

function listAt(
  places: readonly BoundPlace[],
  what: "serving" | "handshake",
): (DiagnosedSocket & { kind: "udp" | "tcp" })[] {
  const asked = new Map<string, BoundPlace>();
  for (const place of places) {
    asked.set(`${place.kind} ${place.target.family} ${place.target.port}`, place);
  }
  return [...asked.values()].flatMap(({ kind, target: { family, port } }) => {
    const serving = kind === "udp" ? SOCKET_STATE.CLOSE : SOCKET_STATE.LISTEN;
    const states = [what === "serving" ? serving : SOCKET_STATE.SYN_RECV];
    return listSockets([{ family, kind, port, states }]).map((one) => ({ ...one, kind }));
  });
}

function distinct(places: readonly BoundPlace[]): BoundPlace[] {
  return places.filter((one, i) =>
    places.findIndex((other) =>
      other.kind === one.kind && sameAddress(other.target, one.target)
    ) === i
  );
}
