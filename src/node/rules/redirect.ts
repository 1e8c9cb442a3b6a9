import { parseAddress } from "../../dns/address.ts";
import type { Family, Rule } from "./rule_text.ts";
import { destinationText, familyOf, OWN_MARK } from "./facts.ts";
import { recent, rule } from "./rules.ts";
import type { RuleSet } from "./transaction.ts";

/** Comment of every redirect rule. */
export const REDIRECT_COMMENT = "nodens: redirect";

/** Single-entry lists of `-m recent`. */
export const REDIRECT_LIST: Record<Family, string> = {
  4: "nodens-redirect",
  6: "nodens-redirect6",
};

/** Their entry, and a mask that maps every address to it. */
export const REDIRECT_ENTRY: Record<Family, string> = { 4: "0.0.0.0", 6: "::" };

/** Options of a redirect. */
export interface RedirectOptions {
  /** Null for all addresses; a missing family is not redirected. */
  readonly to: Partial<Record<Family, string | null>>;
  readonly port: number;
  readonly only: readonly string[];
  readonly except: readonly string[];
  readonly exceptUid: number | null;
  readonly interfaces: readonly string[] | null;
  readonly failOpen: boolean;
}

const PROTOCOLS = ["udp", "tcp"] as const;

const NOT_LOCAL = ["-m", "addrtype", "!", "--dst-type", "LOCAL"];

/** Redirected families. */
export function redirectFamilies({ to }: RedirectOptions): Family[] {
  return ([4, 6] as const).filter((family) => to[family] !== undefined);
}

/** One family's redirect rules, including possible leftovers. */
export function redirectSet(family: Family, options: RedirectOptions | null): RuleSet {
  return {
    wanted: options === null ? [] : redirectRules(family, options),
    owned: [
      redirectRule("nat", "PREROUTING", ["-j", "RETURN"]),
      redirectRule("nat", "OUTPUT", ["-j", "RETURN"]),
      redirectRule("filter", "INPUT", ["-j", "ACCEPT"]),
    ],
    comments: [REDIRECT_COMMENT],
  };
}

/** Each goes above the previous one: exceptions first. */
export function redirectRules(family: Family, options: RedirectOptions): Rule[] {
  const { to, port, exceptUid, failOpen } = options;
  const address = to[family];
  if (address === undefined) return [];
  const target = address === null
    ? ["-j", "REDIRECT", "--to-ports", `${port}`]
    : ["-j", "DNAT", "--to-destination", destinationText({ address, port })];
  const heartbeat = failOpen ? recent(REDIRECT_LIST[family], REDIRECT_ENTRY[family]) : [];
  const except = options.except.filter((one) => familyOf(one) === family);
  const ownMatch = [
    ...["-m", "mark", "!", "--mark", `0x${OWN_MARK.toString(16)}`],
    ...(exceptUid === null ? [] : ["-m", "owner", "!", "--uid-owner", `${exceptUid}`]),
  ];
  const ways: { chain: string; from: string[]; match: string[] }[] = [
    ...incoming(address, options).map((from) => ({ chain: "PREROUTING", from, match: from })),
    { chain: "OUTPUT", from: [], match: ownMatch },
  ];
  const rules = PROTOCOLS.flatMap((protocol) =>
    ways.flatMap(({ chain, from, match }) => [
      ...destinations(family, options).map((destination) =>
        redirectRule("nat", chain, [
          ...["-p", protocol, ...destination, "--dport", "53", ...match],
          ...(destination.length === 0 ? NOT_LOCAL : []),
          ...heartbeat,
          ...target,
        ])
      ),
      ...except.map((one) =>
        redirectRule("nat", chain, [
          ...["-p", protocol, "-d", one, "--dport", "53", ...from, "-j", "RETURN"],
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

/** Why requested containers are not redirected, or null. */
export function containersLeftOut({ to, interfaces }: RedirectOptions): string | null {
  const loopback = Object.values(to).filter((address) => address !== null && isLoopback(address));
  if (interfaces === null || loopback.length === 0) return null;
  return `containers are not redirected to ${loopback.join(" and ")}: the kernel does not deliver` +
    " their packets to a loopback address; name an address of another interface to include them";
}

function isLoopback(address: string): boolean {
  return parseAddress(address)?.[0] === 127 || address === "::1";
}

function destinations(family: Family, { only }: RedirectOptions): string[][] {
  if (only.length === 0) return [[]];
  return only.filter((one) => familyOf(one) === family).map((one) => ["-d", one]);
}

function incoming(address: string | null, { interfaces }: RedirectOptions): string[][] {
  if (interfaces === null || (address !== null && isLoopback(address))) return [];
  if (interfaces.length === 0) return [["!", "-i", "lo"]];
  return interfaces.map((name) => ["-i", name]);
}

function redirectRule(table: "nat" | "filter", chain: string, args: readonly string[]): Rule {
  return rule(table, chain, args, REDIRECT_COMMENT);
}
