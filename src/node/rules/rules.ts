import { canonicalAddress } from "../../dns/address.ts";
import {
  type Destination,
  destinationText,
  type FailOpenLevel,
  familyOf,
  HEARTBEAT_SECONDS,
  OWN_MARK,
} from "./facts.ts";
import { ALL_ONES, type Family, type Rule, type Table } from "./rule_text.ts";

/** Comments of the rules; scripts search for node-cache's. */
export const COMMENT = {
  skip: "NodeLocal DNS Cache: skip conntrack",
  allow: "NodeLocal DNS Cache: allow DNS traffic",
  probe: "nodens: probe",
  failOpen: "nodens: fail-open",
} as const;

/** Lists of `-m recent`, with one mask each. */
export const HEARTBEAT_LIST: Record<Family, string> = { 4: "nodens", 6: "nodens6" };

/** Options of the rules. */
export interface RuleOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly healthPort: number;
  readonly failOpenTo: readonly Destination[];
  readonly tracked: readonly string[];
}

/** Addresses of one family that depend on the heartbeat. */
export function failOpenAddresses(family: Family, options: RuleOptions): string[] {
  const instead = options.failOpenTo.some(({ address }) => familyOf(address) === family);
  return ownAddresses(family, options).filter((address) =>
    !isTracked(address, options) && (instead || !isLinkLocal(address))
  );
}

/** Rules of one family, beginning with node-cache's. */
export function nodeRules(family: Family, level: FailOpenLevel, options: RuleOptions): Rule[] {
  const open = level === "none" ? [] : failOpenAddresses(family, options);
  return ownAddresses(family, options).flatMap((address) =>
    open.includes(address)
      ? [...addressRules(address, level, options), ...insteadRules(address, options)]
      : addressRules(address, "none", options)
  );
}

/** Leftovers of other versions or modes. */
export function leftOverRules(family: Family, options: RuleOptions): Rule[] {
  const target = { address: family === 4 ? "192.0.2.1" : "2001:db8::1", port: 53 };
  const all = { ...options, failOpenTo: [target], tracked: [] };
  return ownAddresses(family, all).flatMap((address) => [
    ...addressRules(address, "socket", all),
    ...insteadRules(address, all),
    // Older node-cache wrote no comments. Accepting rules do no harm.
    ...addressRules(address, "none", all).filter(({ table }) => table === "raw").map((rule) => ({
      ...rule,
      args: rule.args.slice(0, rule.args.indexOf("comment") - 1),
    })),
  ]);
}

function addressRules(address: string, level: FailOpenLevel, options: RuleOptions): Rule[] {
  const { port, healthPort } = options;
  const to = (protocol: string, at = port) => ["-p", protocol, "-d", address, "--dport", `${at}`];
  const from = (protocol: string, at = port) => ["-p", protocol, "-s", address, "--sport", `${at}`];
  const family = familyOf(address);
  const heartbeat = level === "none" ? [] : recent(HEARTBEAT_LIST[family], ALL_ONES[family]);
  const socket = level === "socket" ? ["-m", "socket", "--nowildcard"] : [];
  const skip = (chain: string, match: string[], conditions: string[] = []) =>
    rule("raw", chain, [...match, ...conditions, "-j", "NOTRACK"], COMMENT.skip);
  const allow = (chain: string, match: string[]) =>
    rule("filter", chain, [...match, "-j", "ACCEPT"], COMMENT.allow);
  const both = (make: (protocol: string) => Rule) => [make("tcp"), make("udp")];
  const rules = [
    ...both((protocol) => skip("PREROUTING", to(protocol), [...heartbeat, ...socket])),
    ...both((protocol) => allow("INPUT", to(protocol))),
    ...both((protocol) => skip("OUTPUT", from(protocol))),
    ...both((protocol) => allow("OUTPUT", from(protocol))),
    ...both((protocol) => skip("OUTPUT", to(protocol), heartbeat)),
    skip("OUTPUT", to("tcp", healthPort)),
    skip("OUTPUT", from("tcp", healthPort)),
  ];
  return isTracked(address, options) ? rules.filter(({ table }) => table === "filter") : rules;
}

/** Rules without a heartbeat: for fallback servers and the probe. */
function insteadRules(address: string, { port, failOpenTo }: RuleOptions): Rule[] {
  const to = (protocol: string) => ["-p", protocol, "-d", address, "--dport", String(port)];
  const mark = ["-m", "mark", "--mark", `0x${OWN_MARK.toString(16)}`];
  const targets = failOpenTo.filter((target) => familyOf(target.address) === familyOf(address));
  const instead = targets.flatMap((target, i) => {
    const every = targets.length - i;
    const share = every === 1
      ? []
      : ["-m", "statistic", "--mode", "nth", "--every", `${every}`, "--packet", "0"];
    const dnat = [...share, "-j", "DNAT", "--to-destination", destinationText(target)];
    return ["PREROUTING", "OUTPUT"].flatMap((chain) =>
      ["udp", "tcp"].map((protocol) =>
        rule("nat", chain, [...to(protocol), ...dnat], COMMENT.failOpen, "last")
      )
    );
  });
  const masquerade = ["-s", address, "!", "-o", "lo", "-j", "MASQUERADE"];
  return [
    rule("raw", "OUTPUT", [...to("udp"), ...mark, "-j", "NOTRACK"], COMMENT.probe),
    // Otherwise, replies to the host's queries would be lost.
    rule("nat", "POSTROUTING", masquerade, COMMENT.failOpen),
    ...instead,
  ];
}

/** Condition of a recently renewed list entry. */
export function recent(list: string, mask: string): string[] {
  return [
    ...["-m", "recent", "--rcheck", "--seconds", `${HEARTBEAT_SECONDS}`],
    // `-D` must match the printed default mask.
    ...["--name", list, "--mask", mask, "--rdest"],
  ];
}

/** One rule; the comment follows the target, as in node-cache. */
export function rule(
  table: Table,
  chain: string,
  args: readonly string[],
  comment: string,
  place: "first" | "last" = "first",
): Rule {
  return { table, chain, args: [...args, "-m", "comment", "--comment", comment], place };
}

function ownAddresses(family: Family, { addresses }: RuleOptions): string[] {
  const own = addresses.filter((address) => familyOf(address) === family).map(canonicalAddress);
  return [...new Set(own)];
}

function isTracked(address: string, { tracked }: RuleOptions): boolean {
  return tracked.map(canonicalAddress).includes(address);
}

function isLinkLocal(address: string): boolean {
  return /^169\.254\./.test(address) || /^fe[89ab][0-9a-f]:/i.test(address);
}
