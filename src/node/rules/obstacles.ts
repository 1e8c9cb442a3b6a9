import { parseAddress } from "../../dns/address.ts";
import { readOptions, type Rule, ruleKey, type RuleOption } from "./rule_text.ts";
import type { SavedRule } from "./saved_rules.ts";

/** Targets that keep traffic from the rules below, by table. In filter ours accept as well. */
const ENDS: Record<string, readonly string[]> = {
  raw: ["ACCEPT", "DROP", "CT", "NOTRACK"],
  filter: ["DROP", "REJECT"],
  nat: ["ACCEPT", "DROP", "DNAT", "REDIRECT", "NETMAP"],
};
/** Conditions that a rule may have besides and still take some of the traffic. */
const NARROWING = ["-s", "-i", "-o", "--sport", "--comment", "-m", "-j", "-g"];
/** Arguments of targets, which are no conditions. */
const TARGET_OPTIONS =
  /^--(to-|reject-with|random|persistent|notrack|zone|helper|ctevents|expevents)/;
/** Chains within chains that are looked into. */
const MAX_DEPTH = 8;

/** Traffic that one of our rules is for. */
interface Traffic {
  readonly protocol: string;
  /** Bytes of the destination address. */
  readonly address: Uint8Array;
  readonly port: number;
}

/**
 * Tells of rules of others that stand above ours and take the traffic that ours are for, in words
 * for the operator: for all senders, or for some.
 *
 * Only what is certain is told. A rule with a condition that depends on more than protocol,
 * addresses, ports and interfaces (a mark, a set, a state) is passed over.
 */
export function findObstacles(
  present: readonly SavedRule[],
  wanted: readonly Rule[],
  isOurs: (rule: SavedRule) => boolean,
): string[] {
  const chains = Map.groupBy(present, ({ table, chain }) => `${table} ${chain}`);
  const told = new Set<string>();
  for (const { table, chain, args } of wanted) {
    const traffic = trafficOf(args);
    const key = ruleKey(table, chain, args);
    const rules = chains.get(`${table} ${chain}`) ?? [];
    const place = traffic === null
      ? -1
      : rules.findIndex((one) => isOurs(one) && ruleKey(table, chain, one.args) === key);
    if (traffic === null || place < 0) continue;
    const above = rules.slice(0, place).filter((one) => !isOurs(one));
    const taker = findTaker(above, traffic, { chains, depth: 0 });
    if (taker === null) continue;
    const what = `${traffic.protocol} traffic to ${value(args, "-d")} port ${traffic.port}`;
    told.add(
      `a rule above those of nodens takes ${what}: "-t ${table} -A ${taker.chain} ${taker.text}"` +
        `${taker.chain === chain ? "" : ` (reached from ${chain})`};` +
        " move it below them, or except that address from it",
    );
  }
  return [...told];
}

function trafficOf(args: readonly string[]): Traffic | null {
  const address = parseAddress(value(args, "-d") ?? "");
  const protocol = value(args, "-p");
  const port = Number(value(args, "--dport"));
  if (address === null || protocol === undefined || !(port > 0)) return null;
  return { protocol, address, port };
}

function value(args: readonly string[], name: string): string | undefined {
  return readOptions(args).find((option) => option.name === name)?.values[0];
}

function findTaker(
  rules: readonly SavedRule[],
  traffic: Traffic,
  where: { chains: ReadonlyMap<string, readonly SavedRule[]>; depth: number },
): SavedRule | null {
  for (const one of rules) {
    const options = readOptions(one.args);
    if (!matches(options, traffic)) continue;
    const target = options.find(({ name }) => name === "-j" || name === "-g")?.values[0] ?? "";
    if (ENDS[one.table]?.includes(target)) return one;
    if (target === "RETURN" && isCertain(options)) return null;
    const inner = where.chains.get(`${one.table} ${target}`);
    if (inner === undefined || where.depth >= MAX_DEPTH) continue;
    const taker = findTaker(inner, traffic, { ...where, depth: where.depth + 1 });
    if (taker !== null) return taker;
  }
  return null;
}

/** Whether a rule surely takes some of this traffic. */
function matches(options: readonly RuleOption[], traffic: Traffic): boolean {
  return options.every(({ name, negated, values: [value = ""] }) => {
    if (name === "-p") return (value === traffic.protocol || value === "all") !== negated;
    if (name === "-d") return contains(value, traffic.address) !== negated;
    if (name === "--dport" || name === "--dports") {
      return value.split(",").some((range) => inRange(range, traffic.port)) !== negated;
    }
    // Packets from outside do not come by a loopback device.
    if (name === "-i" && value === "lo") return negated;
    return NARROWING.includes(name) || TARGET_OPTIONS.test(name);
  });
}

/** Whether it takes this traffic of all senders. */
function isCertain(options: readonly RuleOption[]): boolean {
  return !options.some(({ name }) => ["-s", "-i", "-o", "--sport"].includes(name));
}

function inRange(range: string, port: number): boolean {
  const [from, to] = range.split(":");
  return port >= Number(from) && port <= Number(to ?? from);
}

function contains(network: string, address: Uint8Array): boolean {
  const [text = "", length] = network.split("/");
  const bytes = parseAddress(text);
  if (bytes === null || bytes.length !== address.length) return false;
  const bits = length === undefined ? 8 * bytes.length : Number(length);
  for (let bit = 0; bit < bits; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((bytes[bit >> 3]! & mask) !== (address[bit >> 3]! & mask)) return false;
  }
  return true;
}
