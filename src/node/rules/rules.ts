import { canonicalAddress } from "../../dns/address.ts";
import { ALL_ONES, type Family, type Rule, type Table } from "./rule_text.ts";

/** Comments of the rules, word for word those of node-cache: whoever looks for them finds ours. */
export const COMMENT = {
  skip: "NodeLocal DNS Cache: skip conntrack",
  allow: "NodeLocal DNS Cache: allow DNS traffic",
  probe: "nodens: probe",
  failOpen: "nodens: fail-open",
} as const;

/** Mark (SO_MARK) of what nodens itself sends. Bits that kube-proxy uses (14 and 15) are not in it. */
export const OWN_MARK = 0x53;

/** How long a heartbeat is good, in seconds. */
export const HEARTBEAT_SECONDS = 2;

/** Lists of `-m recent`: one for each family, because the mask belongs to the list. */
export const HEARTBEAT_LIST: Record<Family, string> = { 4: "nodens", 6: "nodens6" };

/**
 * What the rules for service addresses ask for besides: a heartbeat of the last two seconds, and
 * for packets from outside also that somebody listens, or nothing as node-cache's.
 */
export type FailOpenLevel = "socket" | "heartbeat" | "none";

/** Somewhere that answers in our place. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** What the rules are made of. */
export interface RuleOptions {
  /** Addresses that nodens listens on, of both families (`-localip`). */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Port of /health, which kubelet asks on the same addresses. */
  readonly healthPort: number;
  /** Where queries go that nobody else takes while the heartbeat is missing (`-failopen-to`). */
  readonly failOpenTo: readonly Destination[];
  /** Addresses whose connections must be tracked, because a redirect leads to them. */
  readonly tracked: readonly string[];
}

/** Family of an address. */
export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

/** Addresses of one family whose rules depend on the heartbeat. */
export function failOpenAddresses(family: Family, options: RuleOptions): string[] {
  const instead = options.failOpenTo.some(({ address }) => familyOf(address) === family);
  return ownAddresses(family, options).filter((address) =>
    !isTracked(address, options) && (instead || !isLinkLocal(address))
  );
}

/**
 * The rules of one family. Those that node-cache has too come in its order, so that a chain holds
 * them in the same one.
 */
export function nodeRules(family: Family, level: FailOpenLevel, options: RuleOptions): Rule[] {
  const open = level === "none" ? [] : failOpenAddresses(family, options);
  return ownAddresses(family, options).flatMap((address) => {
    const conditions = open.includes(address) ? level : "none";
    const rules = addressRules(address, conditions, options);
    if (conditions === "none") return rules;
    return [...rules, ...insteadRules(address, options)];
  });
}

/** Whether a rule of `nodeRules` is one that brings queries here. */
export function leadsHere({ table, args }: Rule, { port }: RuleOptions): boolean {
  return table === "raw" && args.includes("-d") &&
    args[args.indexOf("--dport") + 1] === String(port);
}

/** Rules that other versions or modes may have left for these addresses. */
export function leftOverRules(family: Family, options: RuleOptions): Rule[] {
  const target = { address: family === 4 ? "192.0.2.1" : "2001:db8::1", port: 53 };
  const all = { ...options, failOpenTo: [target], tracked: [] };
  return ownAddresses(family, all).flatMap((address) => [
    ...addressRules(address, "socket", all),
    ...insteadRules(address, all),
    // Older versions of node-cache put in no comments. Those that accept do no harm, and somebody else
    // may have put in the same.
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
  const heartbeat = level === "none" ? [] : recent(familyOf(address));
  const socket = level === "socket" ? ["-m", "socket", "--nowildcard"] : [];
  const skip = (chain: string, match: string[], conditions: string[] = []) =>
    rule("raw", chain, [...match, ...conditions, "-j", "NOTRACK"], COMMENT.skip);
  const allow = (chain: string, match: string[]) =>
    rule("filter", chain, [...match, "-j", "ACCEPT"], COMMENT.allow);
  const rules = [
    skip("PREROUTING", to("tcp"), [...heartbeat, ...socket]),
    skip("PREROUTING", to("udp"), [...heartbeat, ...socket]),
    allow("INPUT", to("tcp")),
    allow("INPUT", to("udp")),
    skip("OUTPUT", from("tcp")),
    skip("OUTPUT", from("udp")),
    allow("OUTPUT", from("tcp")),
    allow("OUTPUT", from("udp")),
    skip("OUTPUT", to("tcp"), heartbeat),
    skip("OUTPUT", to("udp"), heartbeat),
    skip("OUTPUT", to("tcp", healthPort)),
    skip("OUTPUT", from("tcp", healthPort)),
  ];
  return isTracked(address, options) ? rules.filter(({ table }) => table === "filter") : rules;
}

/** What answers while the heartbeat is missing, and what tells that it is not. */
function insteadRules(address: string, { port, failOpenTo }: RuleOptions): Rule[] {
  const family = familyOf(address);
  const to = (protocol: string) => ["-p", protocol, "-d", address, "--dport", String(port)];
  const mark = ["-m", "mark", "--mark", `0x${OWN_MARK.toString(16)}`];
  const targets = failOpenTo.filter((target) => familyOf(target.address) === family);
  const instead = targets.flatMap((target, i) => {
    const left = targets.length - i;
    const share = left === 1
      ? []
      : ["-m", "statistic", "--mode", "nth", "--every", String(left), "--packet", "0"];
    return ["PREROUTING", "OUTPUT"].flatMap((chain) =>
      ["udp", "tcp"].map((protocol) =>
        rule(
          "nat",
          chain,
          [...to(protocol), ...share, "-j", "DNAT", "--to-destination", destinationText(target)],
          COMMENT.failOpen,
          // Last: kube-proxy's own choice comes first where it has one. Packets that skip connection
          // tracking do not come by here at all.
          "last",
        )
      )
    );
  });
  return [
    // Our own question whether we answer must reach us even when nobody else's query does.
    rule("raw", "OUTPUT", [...to("udp"), ...mark, "-j", "NOTRACK"], COMMENT.probe),
    // The host's own queries have this address as source too, since it is local; no reply to
    // another machine's answer would find its way back to it.
    rule(
      "nat",
      "POSTROUTING",
      ["-s", address, "!", "-o", "lo", "-j", "MASQUERADE"],
      COMMENT.failOpen,
    ),
    ...instead,
  ];
}

/** Conditions that a heartbeat of the last seconds fulfils. */
function recent(family: Family): string[] {
  return [
    ...["-m", "recent", "--rcheck", "--seconds", String(HEARTBEAT_SECONDS)],
    // The mask is the default, but a rule without it cannot be deleted by what iptables-save prints.
    ...["--name", HEARTBEAT_LIST[family], "--mask", ALL_ONES[family], "--rdest"],
  ];
}

/** One rule, with its comment behind the target as node-cache has it. */
export function rule(
  table: Table,
  chain: string,
  args: readonly string[],
  comment: string,
  place: "first" | "last" = "first",
): Rule {
  return { table, chain, args: [...args, "-m", "comment", "--comment", comment], place };
}

/** Address and port as DNAT takes them. */
export function destinationText({ address, port }: Destination): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
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
