import { parseAddress } from "../../dns/address.ts";
import type { Family, Rule } from "../rules/rule_text.ts";
import { destinationText, familyOf, HEARTBEAT_SECONDS, OWN_MARK, rule } from "../rules/rules.ts";

/** Comment of every rule of a redirect. */
export const REDIRECT_COMMENT = "nodens: redirect";

/** Lists of `-m recent` with a single entry, the address without any bit. */
export const REDIRECT_LIST: Record<Family, string> = {
  4: "nodens-redirect",
  6: "nodens-redirect6",
};

/** The one entry of such a list: the mask takes every address to it. */
export const REDIRECT_ENTRY: Record<Family, string> = { 4: "0.0.0.0", 6: "::" };

/** What is redirected, and where to. */
export interface RedirectOptions {
  /**
   * Address of nodens for each family, or null if nodens listens on all addresses: then queries
   * go to that of the interface that they came by. A family that is not there is left alone.
   */
  readonly to: Partial<Record<Family, string | null>>;
  readonly port: number;
  /** Servers whose traffic is redirected; none for all that are not this host itself. */
  readonly only: readonly string[];
  /** Servers whose traffic is left alone. */
  readonly except: readonly string[];
  /** User whose traffic is left alone; null for none. */
  readonly exceptUid: number | null;
  /** Interfaces of containers; none for every one, and null for the host's own traffic alone. */
  readonly interfaces: readonly string[] | null;
  /** Only while nodens answers. */
  readonly failOpen: boolean;
}

const PROTOCOLS = ["udp", "tcp"] as const;

/** The families that are redirected. */
export function redirectFamilies({ to }: RedirectOptions): Family[] {
  return ([4, 6] as const).filter((family) => to[family] !== undefined);
}

/**
 * The rules of a redirect for one family, in the order of putting them in, each above the one before:
 * so what is left alone comes first in the chain.
 */
export function redirectRules(family: Family, options: RedirectOptions): Rule[] {
  const { to, port, exceptUid, failOpen } = options;
  const address = to[family];
  if (address === undefined) return [];
  const target = address === null
    ? ["-j", "REDIRECT", "--to-ports", `${port}`]
    : ["-j", "DNAT", "--to-destination", destinationText({ address, port })];
  const heartbeat = failOpen ? recentAny(family) : [];
  const except = options.except.filter((one) => familyOf(one) === family);
  const ways: { chain: string; from: string[]; match: string[] }[] = [
    ...incoming(address, options).map((from) => ({ chain: "PREROUTING", from, match: from })),
    {
      chain: "OUTPUT",
      from: [],
      match: [
        ...["-m", "mark", "!", "--mark", `0x${OWN_MARK.toString(16)}`],
        ...(exceptUid === null ? [] : ["-m", "owner", "!", "--uid-owner", `${exceptUid}`]),
      ],
    },
  ];
  const rules = PROTOCOLS.flatMap((protocol) =>
    ways.flatMap(({ chain, from, match }) => [
      ...destinations(family, options).map((destination) =>
        redirectRule("nat", chain, [
          ...["-p", protocol, ...destination, "--dport", "53"],
          ...match,
          ...(destination.length === 0 ? NOT_LOCAL : []),
          ...heartbeat,
          ...target,
        ])
      ),
      ...except.map((one) =>
        redirectRule("nat", chain, [
          ...["-p", protocol, "-d", one, "--dport", "53", ...from],
          ...["-j", "RETURN"],
        ])
      ),
    ])
  );
  const allow = PROTOCOLS.map((protocol) =>
    redirectRule("filter", "INPUT", [
      ...["-p", protocol, "--dport", `${port}`],
      ...["-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT"],
    ])
  );
  return [...rules, ...allow];
}

/** A rule in each chain where a redirect may have left some; their comment tells which are its. */
export function redirectChains(): Rule[] {
  return [
    redirectRule("nat", "PREROUTING", ["-j", "RETURN"]),
    redirectRule("nat", "OUTPUT", ["-j", "RETURN"]),
    redirectRule("filter", "INPUT", ["-j", "ACCEPT"]),
  ];
}

/** Why containers are left out although they are asked for, or null. */
export function containersLeftOut({ to, interfaces }: RedirectOptions): string | null {
  const loopback = Object.values(to).filter((address) => address !== null && isLoopback(address));
  if (interfaces === null || loopback.length === 0) return null;
  return `containers are not redirected to ${
    loopback.join(" and ")
  }: the kernel takes nothing from` +
    " them for a loopback address; name an address of another interface to include them";
}

/** Whether an address never leaves the host. */
export function isLoopback(address: string): boolean {
  return parseAddress(address)?.[0] === 127 || address === "::1";
}

/** Servers on this host itself are asked as before, unless they are named. */
const NOT_LOCAL = ["-m", "addrtype", "!", "--dst-type", "LOCAL"];

function destinations(family: Family, { only }: RedirectOptions): string[][] {
  if (only.length === 0) return [[]];
  return only.filter((one) => familyOf(one) === family).map((one) => ["-d", one]);
}

/** Conditions for the interfaces that containers' queries come by. */
function incoming(address: string | null, { interfaces }: RedirectOptions): string[][] {
  if (interfaces === null || (address !== null && isLoopback(address))) return [];
  if (interfaces.length === 0) return [["!", "-i", "lo"]];
  return interfaces.map((name) => ["-i", name]);
}

function recentAny(family: Family): string[] {
  return [
    ...["-m", "recent", "--rcheck", "--seconds", `${HEARTBEAT_SECONDS}`],
    ...["--name", REDIRECT_LIST[family], "--mask", REDIRECT_ENTRY[family], "--rdest"],
  ];
}

function redirectRule(table: "nat" | "filter", chain: string, args: readonly string[]): Rule {
  return rule(table, chain, args, REDIRECT_COMMENT);
}
