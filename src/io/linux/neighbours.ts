/** Other processes at this one's addresses; SO_REUSEPORT allows those of one user only. */
import { Address } from "../../dns/address.ts";
import { SOCKET_STATE } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { listSockets } from "../../sys/netlink/sock_diag.ts";
import { hostPort, isWildcard, readLocalAddress, sameAddress } from "../../sys/sockaddr.ts";
import type { BoundAddress, BoundSocket, Neighbour } from "../sockets.ts";

/** `own`: this process's cookies. Throws if unknown. */
export function findNeighbours(
  places: readonly BoundAddress[],
  own: ReadonlySet<bigint>,
): Neighbour[] {
  const others = listAt(places, "serving").filter(({ cookie, uid }) =>
    !own.has(cookie) && uid === Deno.uid()
  );
  const distinct = new Map(
    places.map((place) => [`${place.kind} ${hostPort(place.target)}`, place]),
  );
  return [...distinct.values()].map(({ kind, target }) => ({
    ...{ kind, target },
    count: others.filter((one) => one.kind === kind && sameAddress(one.local, target)).length,
  })).filter(({ count }) => count > 0);
}

/** Another user with this address, or null. */
export function foreignHolder({ kind, target }: BoundAddress): number | null {
  // IPv6 may accept IPv4.
  const families = target.family === 4 ? [4, 6] as const : [6] as const;
  const places = families.map((family) => {
    const place = Object.assign(new Address(), { family, port: target.port });
    return { kind, target: place };
  });
  try {
    const holder = listAt(places, "serving").find(({ local, uid }) =>
      uid !== Deno.uid() &&
      (isWildcard(local) || (local.family === target.family &&
        (isWildcard(target) || local.sameHost(target))))
    );
    return holder?.uid ?? null;
  } catch {
    return null;
  }
}

/** Keys of TCP handshakes in progress. */
export function listHandshakes(places: readonly BoundAddress[]): Set<string> {
  const tcp = places.filter(({ kind }) => kind === "tcp");
  return new Set(
    listAt(tcp, "handshake").map(({ local, peer }) => `${local.port} ${hostPort(peer)}`),
  );
}

/** Local address of a socket. */
export function placeOf(libc: Libc, { fd, kind }: Pick<BoundSocket, "fd" | "kind">): BoundAddress {
  return { kind, target: readLocalAddress(libc, fd) ?? new Address() };
}

function listAt(places: readonly BoundAddress[], what: "serving" | "handshake") {
  const queries = new Map(places.map(({ kind, target: { family, port } }) => {
    const serving = kind === "udp" ? SOCKET_STATE.CLOSE : SOCKET_STATE.LISTEN;
    const states = [what === "serving" ? serving : SOCKET_STATE.SYN_RECV];
    return [`${kind} ${family} ${port}`, { kind, family, port, states }];
  }));
  return queries.size === 0 ? [] : listSockets([...queries.values()]);
}
