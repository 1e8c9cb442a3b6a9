import { parseAddress } from "../../dns/address.ts";
import { isInNetwork, parseNetwork } from "../../dns/network.ts";
import { readOptions, type Rule, ruleKey, type RuleOption, type SavedRule } from "./rule_text.ts";

/** Targets that stop traffic before later rules, by table. In filter our rules accept too. */
const ENDS: Record<string, readonly string[]> = {
  raw: ["ACCEPT", "DROP", "CT", "NOTRACK"],
  filter: ["DROP", "REJECT"],
  nat: ["ACCEPT", "DROP", "DNAT", "REDIRECT", "NETMAP"],
};
const SENDER = ["-s", "-i", "-o", "--sport"];
const NARROWING = [...SENDER, "--comment", "-m", "-j", "-g"];
const TARGET_OPTIONS =
  /^--(to-|reject-with|random|persistent|notrack|zone|helper|ctevents|expevents)/;
/** Jumps may loop. */
const MAX_DEPTH = 8;

interface Traffic {
  readonly protocol: string;
  readonly address: Uint8Array;
  readonly port: number;
}

/**
 * Describes foreign rules above ours for the same traffic. Rules with other conditions than
 * protocol, addresses, ports and interfaces are ignored.
 */
export function findObstacles(
  present: readonly SavedRule[],
  wanted: readonly Rule[],
  isOurs: (rule: SavedRule) => boolean,
): string[] {
  const chains = Map.groupBy(present, ({ table, chain }) => `${table} ${chain}`);
  const found = new Set<string>();
  for (const { table, chain, args } of wanted) {
    const traffic = trafficOf(args);
    if (traffic === null) continue;
    const key = ruleKey(table, chain, args);
    const rules = chains.get(`${table} ${chain}`) ?? [];
    const position = rules.findIndex((one) =>
      isOurs(one) && ruleKey(table, chain, one.args) === key
    );
    const above = rules.slice(0, Math.max(position, 0)).filter((one) => !isOurs(one));
    const taker = findTaker(above, traffic, { chains, depth: 0 });
    if (taker === null) continue;
    const what = `${traffic.protocol} traffic to ${value(args, "-d")} port ${traffic.port}`;
    found.add(
      `a rule above those of nodens takes ${what}: "-t ${table} -A ${taker.chain} ${taker.text}"` +
        `${taker.chain === chain ? "" : ` (reached from ${chain})`};` +
        " move it below them, or except that address from it",
    );
  }
  return [...found];
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
  { chains, depth }: { chains: ReadonlyMap<string, readonly SavedRule[]>; depth: number },
): SavedRule | null {
  for (const one of rules) {
    const options = readOptions(one.args);
    if (!matches(options, traffic)) continue;
    const target = options.find(({ name }) => name === "-j" || name === "-g")?.values[0] ?? "";
    if (ENDS[one.table]?.includes(target)) return one;
    if (target === "RETURN" && !options.some(({ name }) => SENDER.includes(name))) return null;
    const inner = chains.get(`${one.table} ${target}`);
    if (inner === undefined || depth >= MAX_DEPTH) continue;
    const taker = findTaker(inner, traffic, { chains, depth: depth + 1 });
    if (taker !== null) return taker;
  }
  return null;
}

function matches(options: readonly RuleOption[], traffic: Traffic): boolean {
  return options.every(({ name, negated, values: [value = ""] }) => {
    if (name === "-p") return (value === traffic.protocol || value === "all") !== negated;
    if (name === "-d") return contains(value, traffic.address) !== negated;
    if (name === "--dport" || name === "--dports") {
      return value.split(",").some((range) => inRange(range, traffic.port)) !== negated;
    }
    // Remote packets do not arrive on lo.
    if (name === "-i" && value === "lo") return negated;
    return NARROWING.includes(name) || TARGET_OPTIONS.test(name);
  });
}

function inRange(range: string, port: number): boolean {
  const [from, to] = range.split(":");
  return port >= Number(from) && port <= Number(to ?? from);
}

function contains(network: string, address: Uint8Array): boolean {
  const size = address.length;
  const range = parseNetwork(network.includes("/") ? network : `${network}/${8 * size}`);
  return range !== null && isInNetwork(range, address, 0, size);
}
