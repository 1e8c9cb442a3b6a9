import { canonicalAddress } from "../dns/address.ts";
import type { Located, NodeContainer } from "./documents.ts";
import type { CheckResult, Expected } from "./fault.ts";
import { localAddressFault } from "./networks.ts";
import { VARIABLE } from "./variables.ts";

/** Stands where a local address is not known, so that the rest can be read (RFC 5737). */
export const STAND_IN = "192.0.2.1";

/** What the command line of nodens says, as far as a manifest must agree with it. */
export interface NodeArguments {
  /** Addresses of `-localip`, each in one spelling. */
  localIps: readonly string[];
  /** The template of the Corefile, and what is made of it. */
  baseFile: string;
  target: string;
  dnsPort: number;
  /** What the domain's variable stands for; null if the arguments do not say it. */
  domain: string | null;
}

/** Used if arguments cannot be read, or if a manifest has no container. */
export const DEFAULT_NODE: NodeArguments = {
  localIps: [],
  baseFile: "/etc/coredns/Corefile.base",
  target: "/etc/Corefile",
  dnsPort: 53,
  domain: null,
};

/** Reads a command line as nodens does; throws an error whose message says what is wrong. */
export type ReadArguments = (args: readonly string[]) => NodeArguments;

/** Checks what a container runs and with which arguments, and returns what they say. */
export function checkArguments(
  container: NodeContainer,
  expected: Expected,
  { readArguments, result }: { readArguments: ReadArguments; result: CheckResult },
): NodeArguments {
  const [program, ...more] = container.command;
  if (program !== undefined && !/(^|\/)nodens$/.test(program.text)) {
    const what = `nodens's image has no "${program.text}" (take "command" out: the image runs` +
      " nodens by itself)";
    result.faults.push({ line: program.line, what });
    return DEFAULT_NODE;
  }
  const args = [...more, ...container.args];
  if (args.some(({ text }) => text.includes("__PILLAR__"))) {
    return readUnfilled(args.map(({ text }) => text), readArguments);
  }
  let node: NodeArguments;
  try {
    node = readArguments(args.map(({ text }) => text));
  } catch (error) {
    const what = (error as Error).message;
    result.faults.push({ line: lineOfFault(args, what, readArguments) ?? container.line, what });
    return DEFAULT_NODE;
  }
  checkAddresses(node, args, expected, result);
  return node;
}

/** Arguments with variables, which are told of as such; their addresses say nothing. */
function readUnfilled(args: readonly string[], readArguments: ReadArguments): NodeArguments {
  try {
    const filled = args.map((text) => text.replaceAll(VARIABLE, STAND_IN));
    return { ...readArguments(filled), localIps: [] };
  } catch {
    return DEFAULT_NODE;
  }
}

/** The argument after which the command line has this fault. */
function lineOfFault(
  args: readonly Located[],
  message: string,
  readArguments: ReadArguments,
): number | null {
  for (let count = 1; count <= args.length; count++) {
    try {
      readArguments(args.slice(0, count).map(({ text }) => text));
    } catch (error) {
      if ((error as Error).message === message) return args[count - 1]!.line;
    }
  }
  return null;
}

function checkAddresses(
  { localIps }: NodeArguments,
  args: readonly Located[],
  expected: Expected,
  result: CheckResult,
): void {
  if (localIps.length === 0) return;
  const flag = args.findIndex(({ text }) => /^--?localip(=|$)/.test(text));
  const value = args[flag]?.text.includes("=") ? args[flag] : args[flag + 1];
  const line = value?.line ?? 1;
  const { kubeDns, localDns, ranges } = expected;
  // The first address of each family is nodens's own, the others are those of services.
  const services = new Set(kubeDns === null ? [] : [canonicalAddress(kubeDns)]);
  const families = new Set<boolean>();
  for (const address of localIps) {
    if (services.has(address)) continue;
    const isV6 = address.includes(":");
    if (families.has(isV6)) services.add(address);
    families.add(isV6);
  }
  for (const address of localIps) {
    if (services.has(address)) continue;
    const why = localAddressFault(address, { ranges, kubeDns: [...services] });
    if (why === null) continue;
    const what = `${address} cannot be nodens's own address: ${why} (169.254.20.10 is usual)`;
    result.faults.push({ line, what });
  }
  if (kubeDns !== null && !localIps.includes(canonicalAddress(kubeDns))) {
    const other = localIps.filter((address) =>
      services.has(address) && address.includes(":") === kubeDns.includes(":")
    );
    if (other.length > 0) {
      const what = `-localip has ${other.join(",")} for a service, but not ${kubeDns} (-kubedns)`;
      result.faults.push({ line, what });
    }
  }
  if (localDns !== null && !localIps.includes(canonicalAddress(localDns))) {
    const what = `-localip has ${localIps.join(",")}, but not ${localDns} (-localdns)`;
    result.faults.push({ line, what });
  }
}
