import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";
import type { Socket } from "./sockets.ts";

const PORTS: Check = { id: "listeners", title: "Port of DNS" };
const HTTP: Check = { id: "http-ports", title: "Ports of health and metrics" };

/** Who serves at the addresses that nodens is to serve at. */
export type Running =
  | "nodens"
  | "node-cache"
  | "nobody"
  | "another"
  /** Somebody, whose process cannot be seen. */
  | "unknown"
  /** Sockets cannot be seen at all. */
  | "unseen";

/** Whether silence is acceptable: perhaps nobody serves. */
export function maybeNobody(running: Running): boolean {
  return running === "nobody" || running === "unseen";
}

/** An address to listen on; "" for all of both families. */
export interface Wanted {
  readonly address: string;
  readonly port: number;
  /** nodens serves without it if it is taken. */
  readonly optional?: boolean;
}

/** Who listens, and who is to. */
export interface ListenerFacts {
  readonly dns: readonly Wanted[];
  readonly http: readonly Wanted[];
  /** All listening sockets of this machine; null if they cannot be read. */
  readonly sockets: readonly Socket[] | null;
  /** A nodens that told of itself over HTTP (`/status`), or null. */
  readonly status: { readonly pid: number; readonly version: string } | null;
}

/** What to do about programs that often hold port 53. */
const ADVICE: Record<string, string> = {
  "systemd-resolve":
    "set DNSStubListener=no in /etc/systemd/resolved.conf and restart systemd-resolved",
  dnsmasq: "give it bind-dynamic and listen-address or except-interface, or stop it",
  named: "give it listen-on with its own addresses, or stop it",
  unbound: "give it interface: with its own addresses, or stop it",
  pdns_recursor: "give it local-address with its own addresses, or stop it",
  coredns: "give it bind with its own addresses, or stop it",
};

/** Who serves DNS at our addresses now. */
export function whoRuns(facts: ListenerFacts): Running {
  const { dns, sockets, status } = facts;
  if (sockets === null) return status === null ? "unseen" : "nodens";
  const holders = sockets.filter((socket) => dns.some((wanted) => collides(wanted, socket)));
  const exact = holders.filter((socket) => dns.some((wanted) => isAt(wanted, socket)));
  if (exact.some((socket) => isNodens(socket, facts))) return "nodens";
  if (exact.some(({ owner }) => owner?.name === "node-cache")) return "node-cache";
  if (exact.some(({ owner }) => owner === null)) return "unknown";
  return exact.length > 0 ? "another" : "nobody";
}

/** Whether somebody else holds a port that nodens needs. */
export function judgeListeners(facts: ListenerFacts): Finding[] {
  const { dns, http, sockets } = facts;
  if (sockets === null) {
    const why = "/proc/net cannot be read: who listens is not known";
    return [skipped(PORTS, why), skipped(HTTP, why)];
  }
  const dnsFinding = dns.length === 0
    ? skipped(PORTS, "what nodens would listen on is not known (see corefile)")
    : judge(PORTS, { wanted: dns, sockets, facts });
  const web = http.length === 0
    ? skipped(HTTP, "nothing is served over HTTP")
    : judge(HTTP, { wanted: http, sockets: sockets.filter(isTcp), facts });
  return [dnsFinding, web];
}

function judge(
  check: Check,
  { wanted, sockets, facts }: {
    wanted: readonly Wanted[];
    sockets: readonly Socket[];
    facts: ListenerFacts;
  },
): Finding {
  const conflicts = sockets.filter((socket) =>
    wanted.some((one) => collides(one, socket)) && !isNodens(socket, facts)
  );
  const ours = sockets.filter((socket) =>
    isNodens(socket, facts) && wanted.some((one) => isAt(one, socket))
  );
  const list = wanted.map(wantedText).join(", ");
  if (conflicts.length === 0) {
    const [first] = ours;
    if (first !== undefined) return ok(check, `${ownerText(first, facts)} listens at ${list}`);
    return ok(check, `free: ${list}`);
  }
  const known = conflicts.filter(({ owner }) => owner !== null);
  const found = [...new Set(conflicts.map((one) => socketText(one)))].join(", ");
  if (known.length > 0 && known.every(({ owner }) => owner!.name === "node-cache")) {
    return warning(
      check,
      found,
      "expected before the change: node-cache and nodens cannot serve at the same addresses at a" +
        " time; the change of image stops one before it starts the other",
    );
  }
  const foreign = known.filter(({ owner }) => owner!.name !== "node-cache");
  if (foreign.length === 0) {
    // An IPv6 wildcard socket takes IPv4 too, or does not: /proc does not say.
    return problem(
      check,
      `${found} (run as root in the host's process namespace to see its name)`,
      "stop it, or give nodens other addresses; if it is nodens itself, run the doctor beside it",
    );
  }
  const unsure = foreign.every((one) => !wanted.some((want) => collidesSurely(want, one)));
  const names = [...new Set(foreign.map(({ owner }) => owner!.name))];
  const advice = names.map((name) =>
    `${name}: ${check === PORTS && ADVICE[name] || "stop it, or give it or nodens another address"}`
  ).join("; ");
  if (unsure) return warning(check, `${found}, which may take IPv4 too`, advice);
  const inWay = foreign.filter((one) =>
    wanted.some((want) => want.optional !== true && collides(want, one))
  );
  if (inWay.length > 0) return problem(check, found, advice);
  return warning(check, `${found}; nodens serves, but not there`, advice);
}

/** Who holds the socket at an address, in words; null if nobody does. */
export function holderAt(wanted: Wanted, facts: ListenerFacts): string | null {
  const socket = facts.sockets?.find((one) => isAt(wanted, one));
  return socket === undefined ? null : ownerText(socket, facts);
}

function isNodens({ owner }: Socket, { status }: ListenerFacts): boolean {
  // Where the process cannot be seen, a nodens that answers at our HTTP addresses is taken for it.
  if (owner === null) return status !== null;
  return owner.name === "nodens" || owner.pid === status?.pid;
}

function ownerText(socket: Socket, facts: ListenerFacts): string {
  if (isNodens(socket, facts)) {
    const { status } = facts;
    const version = status === null ? "" : ` ${status.version}`;
    return `nodens${version} (process ${socket.owner?.pid ?? status!.pid})`;
  }
  return socket.owner === null ? "somebody" : `${socket.owner.name} (process ${socket.owner.pid})`;
}

function socketText(socket: Socket): string {
  const { address, port, protocol, owner } = socket;
  const who = owner === null ? "a process that cannot be seen" : `${owner.name} (${owner.pid})`;
  return `${who} has ${hostText(address)}:${port}/${protocol}`;
}

/** A socket that a client's query to this address would reach. */
function isAt({ address, port }: Wanted, socket: Socket): boolean {
  if (port !== socket.port) return false;
  if (address === socket.address) return true;
  return isWildcard(socket.address) && (address === "" || isWildcard(address) ||
    familyOf(address) === familyOf(socket.address) || socket.address === "::");
}

/** Whether both cannot be bound at a time, perhaps. */
function collides(wanted: Wanted, socket: Socket): boolean {
  if (wanted.port !== socket.port) return false;
  const { address } = wanted;
  if (address === "") return true;
  if (address === socket.address) return true;
  if (isWildcard(address)) return address === "::" || familyOf(socket.address) === 4;
  return isWildcard(socket.address) &&
    (socket.address === "::" || familyOf(address) === familyOf(socket.address));
}

function collidesSurely(wanted: Wanted, socket: Socket): boolean {
  return collides(wanted, socket) &&
    !(socket.address === "::" && wanted.address !== "" && familyOf(wanted.address) === 4);
}

function isTcp({ protocol }: Socket): boolean {
  return protocol === "tcp";
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

function wantedText({ address, port }: Wanted): string {
  return `${address === "" ? "*" : hostText(address)}:${port}`;
}

function hostText(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
