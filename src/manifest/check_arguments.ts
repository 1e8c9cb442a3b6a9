import { canonicalAddress } from "../dns/address.ts";
import type { CheckResult, Located, NodeContainer } from "./documents.ts";
import { VARIABLE } from "./fill.ts";
import { localAddressFault, type Range } from "./networks.ts";

/** Placeholder for a local address (RFC 5737). */
export const STAND_IN = "192.0.2.1";

/** Expected values; null for any. */
export interface Expected {
  localDns: string | null;
  kubeDns: string | null;
  domain: string | null;
  ranges: readonly Range[];
}

/** Relevant arguments. */
export interface NodeArguments {
  localIps: readonly string[];
  baseFile: string;
  target: string;
  dnsPort: number;
  /** Null if absent from the arguments. */
  domain: string | null;
  /** Value of `__PROMETHEUS__ENDPOINT__`. */
  metricsEndpoint: string;
}

/** For unreadable arguments. */
export const DEFAULT_NODE: NodeArguments = {
  localIps: [],
  baseFile: "/etc/coredns/Corefile.base",
  target: "/etc/Corefile",
  dnsPort: 53,
  domain: null,
  metricsEndpoint: ":9253",
};

/** Parses arguments. Throws an error with the fault. */
export type ReadArguments = (args: readonly string[]) => NodeArguments;

/** Checks a container's arguments. */
export function checkArguments(
  container: NodeContainer,
  expected: Expected,
  { readArguments, result }: { readArguments: ReadArguments; result: CheckResult },
): NodeArguments {
  const [program, ...more] = container.command;
  if (program !== undefined && !/(^|\/)nodens$/.test(program.text)) {
    const what =
      `nodens's image has no "${program.text}" (remove "command": the image runs nodens)`;
    result.faults.push({ line: program.line, what });
    return DEFAULT_NODE;
  }
  const args = [...more, ...container.args];
  const words = args.map(({ text }) => expand(text, container.env));
  const unfilled = words.some((text) => text.search(VARIABLE) >= 0);
  let node: NodeArguments;
  try {
    node = readArguments(words.map((text) => text.replaceAll(VARIABLE, STAND_IN)));
  } catch (error) {
    if (!unfilled) {
      const what = (error as Error).message;
      result.faults.push({
        line: lineOfFault(args, words, { message: what, readArguments }) ?? container.line,
        what,
      });
    }
    return DEFAULT_NODE;
  }
  if (unfilled) return { ...node, localIps: [] };
  checkAddresses(node, args, expected, result);
  return node;
}

/** Replaces `$(NAME)` as kubelet does; `valueFrom` by a stand-in. */
function expand(word: string, env: ReadonlyMap<string, string | null>): string {
  return word.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (written, name) => {
    const value = env.get(name);
    return value === undefined ? written : value ?? STAND_IN;
  });
}

function lineOfFault(
  args: readonly Located[],
  words: readonly string[],
  { message, readArguments }: { message: string; readArguments: ReadArguments },
): number | null {
  for (let count = 1; count <= args.length; count++) {
    try {
      readArguments(words.slice(0, count));
    } catch (error) {
      if ((error as Error).message === message) return args[count - 1]!.line;
    }
  }
  return null;
}

function checkAddresses(
  { localIps }: NodeArguments,
  args: readonly Located[],
  { kubeDns, localDns, ranges }: Expected,
  { faults }: CheckResult,
): void {
  if (localIps.length === 0) return;
  const flag = args.findIndex(({ text }) => /^--?localip(=|$)/.test(text));
  const value = args[flag]?.text.includes("=") ? args[flag] : args[flag + 1];
  const line = value?.line ?? 1;
  // Each family's first address is ours.
  const services = new Set(kubeDns === null ? [] : [canonicalAddress(kubeDns)]);
  const families = new Set<boolean>();
  for (const address of localIps.filter((one) => !services.has(one))) {
    const isV6 = address.includes(":");
    if (families.has(isV6)) services.add(address);
    families.add(isV6);
  }
  for (const address of localIps.filter((one) => !services.has(one))) {
    const why = localAddressFault(address, { ranges, kubeDns: [...services] });
    if (why === null) continue;
    const what = `${address} cannot be nodens's own address: ${why} (169.254.20.10 is usual)`;
    faults.push({ line, what });
  }
  if (kubeDns !== null && !localIps.includes(canonicalAddress(kubeDns))) {
    const other = localIps.filter((address) =>
      services.has(address) && address.includes(":") === kubeDns.includes(":")
    );
    if (other.length > 0) {
      const what = `-localip has ${other.join(",")} for a service, but not ${kubeDns} (-kubedns)`;
      faults.push({ line, what });
    }
  }
  if (localDns !== null && !localIps.includes(canonicalAddress(localDns))) {
    const what = `-localip has ${localIps.join(",")}, but not ${localDns} (-localdns)`;
    faults.push({ line, what });
  }
}
