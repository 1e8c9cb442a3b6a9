import { destinationText, familyOf } from "../../node/rules/facts.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

/** Server at our addresses; "unknown": invisible process; "unseen": invisible sockets. */
export type Running = "nodens" | "node-cache" | "nobody" | "another" | "unknown" | "unseen";

/** Whether silence is acceptable. */
export function maybeNobody(running: Running): boolean {
  return running === "nobody" || running === "unseen";
}

/** A listening socket. */
export interface Socket {
  readonly protocol: "udp" | "tcp";
  readonly address: string;
  readonly port: number;
  readonly inode: number;
  readonly owner: { readonly pid: number; readonly name: string } | null;
}

/** An address to listen on; "" for all. */
export interface Wanted {
  readonly address: string;
  readonly port: number;
  readonly optional?: boolean;
}

/** Listening sockets. */
export interface ListenerFacts {
  readonly dns: readonly Wanted[];
  readonly http: readonly Wanted[];
  readonly sockets: readonly Socket[] | null;
  readonly status: { readonly pid: number; readonly version: string } | null;
}

const ADVICE: Record<string, string> = {
  "systemd-resolve":
    "set DNSStubListener=no in /etc/systemd/resolved.conf and restart systemd-resolved",
  dnsmasq: "give it bind-dynamic and listen-address or except-interface, or stop it",
  named: "give it listen-on with its own addresses, or stop it",
  unbound: "give it interface: with its own addresses, or stop it",
  pdns_recursor: "give it local-address with its own addresses, or stop it",
  coredns: "give it bind with its own addresses, or stop it",
};

/** Server at our addresses. */
export function whoRuns(facts: ListenerFacts): Running {
  const { dns, sockets, status } = facts;
  if (sockets === null) return status === null ? "unseen" : "nodens";
  const holders = sockets.filter((socket) =>
    dns.some((wanted) => collides(wanted, socket) && isAt(wanted, socket))
  );
  if (holders.some((socket) => isNodens(socket, facts))) return "nodens";
  if (holders.some(({ owner }) => owner?.name === "node-cache")) return "node-cache";
  if (holders.some(({ owner }) => owner === null)) return "unknown";
  return holders.length > 0 ? "another" : "nobody";
}

const UNREADABLE = "/proc/net cannot be read, so listening sockets are not known";

/** Checks that DNS addresses are available. */
export function judgeDnsPorts(facts: ListenerFacts): Verdict {
  const { dns, sockets } = facts;
  if (sockets === null) return skipped(UNREADABLE);
  if (dns.length === 0) return skipped("the addresses of nodens are not known (see corefile)");
  return judge(dns, sockets, { facts, advice: ADVICE });
}

/** Checks that HTTP addresses are available. */
export function judgeHttpPorts(facts: ListenerFacts): Verdict {
  const { http, sockets } = facts;
  if (sockets === null) return skipped(UNREADABLE);
  if (http.length === 0) return skipped("nothing is served over HTTP");
  return judge(http, sockets.filter(({ protocol }) => protocol === "tcp"), { facts, advice: {} });
}

function judge(
  wanted: readonly Wanted[],
  sockets: readonly Socket[],
  { facts, advice }: { facts: ListenerFacts; advice: Readonly<Record<string, string>> },
): Verdict {
  const conflicts = sockets.filter((socket) =>
    wanted.some((one) => collides(one, socket)) && !isNodens(socket, facts)
  );
  if (conflicts.length === 0) {
    const list = wanted.map(wantedText).join(", ");
    const ours = sockets.find((socket) =>
      isNodens(socket, facts) && wanted.some((one) => isAt(one, socket))
    );
    return ok(
      ours === undefined ? `free: ${list}` : `${ownerText(ours, facts)} listens at ${list}`,
    );
  }
  const found = [...new Set(conflicts.map(socketText))].join(", ");
  const names = new Set(conflicts.flatMap(({ owner }) => owner?.name ?? []));
  if (names.size === 0) {
    return problem(
      `${found} (run as root in the host's process namespace to see its name)`,
      "stop it, or give nodens other addresses; if it is nodens itself, run the doctor beside it",
    );
  }
  names.delete("node-cache");
  if (names.size === 0) {
    return warning(
      found,
      "expected before the migration: node-cache and nodens cannot serve at the same addresses at" +
        " once; the change of image stops one before it starts the other",
    );
  }
  const foreign = conflicts.filter(({ owner }) => owner !== null && names.has(owner.name));
  const remedy = [...names]
    .map((name) => `${name}: ${advice[name] ?? "stop it, or give it or nodens another address"}`)
    .join("; ");
  const some = (test: (want: Wanted, one: Socket) => boolean) =>
    foreign.some((one) => wanted.some((want) => test(want, one)));
  if (!some(collidesSurely)) return warning(`${found}, which may take IPv4 too`, remedy);
  if (some((want, one) => want.optional !== true && collides(want, one))) {
    return problem(found, remedy);
  }
  return warning(`${found}; nodens serves, but not there`, remedy);
}

/** The listening process. */
export function holderAt(wanted: Wanted, facts: ListenerFacts): string | null {
  const socket = facts.sockets?.find((one) => isAt(wanted, one));
  return socket === undefined ? null : ownerText(socket, facts);
}

function isNodens({ owner }: Socket, { status }: ListenerFacts): boolean {
  // Presumably the nodens at our HTTP addresses.
  if (owner === null) return status !== null;
  return owner.name === "nodens" || owner.pid === status?.pid;
}

function ownerText(socket: Socket, facts: ListenerFacts): string {
  const { owner } = socket;
  if (isNodens(socket, facts)) {
    const { status } = facts;
    const version = status === null ? "" : ` ${status.version}`;
    return `nodens${version} (process ${owner?.pid ?? status!.pid})`;
  }
  return owner === null ? "somebody" : `${owner.name} (process ${owner.pid})`;
}

function socketText({ owner, protocol, ...socket }: Socket): string {
  const who = owner === null ? "a process that cannot be seen" : `${owner.name} (${owner.pid})`;
  return `${who} has ${destinationText(socket)}/${protocol}`;
}

function isAt({ address, port }: Wanted, socket: Socket): boolean {
  if (port !== socket.port) return false;
  if (address === socket.address) return true;
  return isWildcard(socket.address) && (address === "" || isWildcard(address) ||
    familyOf(address) === familyOf(socket.address) || socket.address === "::");
}

/** /proc does not say whether "::" includes IPv4. */
function collides({ address, port }: Wanted, socket: Socket): boolean {
  if (port !== socket.port) return false;
  if (address === "" || address === socket.address) return true;
  if (isWildcard(address)) return address === "::" || familyOf(socket.address) === 4;
  return isWildcard(socket.address) &&
    (socket.address === "::" || familyOf(address) === familyOf(socket.address));
}

function collidesSurely(wanted: Wanted, socket: Socket): boolean {
  return collides(wanted, socket) &&
    !(socket.address === "::" && wanted.address !== "" && familyOf(wanted.address) === 4);
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function wantedText({ address, port }: Wanted): string {
  return destinationText({ address: address || "*", port });
}
