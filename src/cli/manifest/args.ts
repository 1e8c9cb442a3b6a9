import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { normalizeZone } from "../../dns/zone.ts";
import { MIN_MEMORY_BYTES, parseQuantity } from "../../manifest/memory.ts";
import { localAddressFault, type Network, parseNetwork } from "../../manifest/networks.ts";
import { MANIFEST_DEFAULTS, type ManifestOptions, PROXY_MODES } from "../../manifest/options.ts";
import { type Flag, FlagError, type FlagValues, HELP_FLAG, parseFlags } from "../flags.ts";
import { VERSION } from "../version.ts";

/** Flags of `nodens manifest`. */
export const MANIFEST_FLAGS = [
  {
    name: "localdns",
    kind: "text",
    value: "ADDRESS",
    default: MANIFEST_DEFAULTS.localDns,
    help: "address of nodens on every node",
  },
  {
    name: "domain",
    kind: "text",
    value: "DOMAIN",
    default: MANIFEST_DEFAULTS.domain,
    help: "domain of the cluster",
  },
  {
    name: "kubedns",
    kind: "text",
    value: "ADDRESS",
    default: "",
    help: "address of the kube-dns service",
  },
  {
    name: "dual-stack",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "local address and that of kube-dns of the other family: fd00::10,fd00:10:96::a",
  },
  {
    name: "mode",
    kind: "text",
    value: "MODE",
    choices: PROXY_MODES,
    default: MANIFEST_DEFAULTS.mode,
    help: "iptables, ipvs (as kube-proxy runs) or redirect",
  },
  {
    name: "image",
    kind: "text",
    value: "IMAGE",
    default: `nodens-node:${VERSION}`,
    help: "image of nodens with iptables",
  },
  {
    name: "plain",
    kind: "boolean",
    default: false,
    help: "the published Corefile as it is, without prefetch and serve_stale",
  },
  {
    name: "memory",
    kind: "text",
    value: "SIZE",
    default: MANIFEST_DEFAULTS.memory,
    help: "memory limit, which the size of the caches follows",
  },
  {
    name: "cluster-range",
    kind: "text",
    value: "RANGES",
    default: "",
    help: "ranges of services and pods, with commas between; the local address must lie outside",
  },
  {
    name: "pod-monitor",
    kind: "boolean",
    default: false,
    help: "add a PodMonitor for the Prometheus operator",
  },
  {
    name: "network-policy",
    kind: "text",
    value: "NAMESPACES",
    default: "",
    help: "namespaces, with commas between, that get a NetworkPolicy for DNS",
  },
  {
    name: "from",
    kind: "text",
    value: "FILE",
    default: "",
    help: "fill this manifest of Kubernetes instead, and change its image",
  },
  { name: "diff", kind: "boolean", default: false, help: "with -from: print what changes" },
  {
    name: "check",
    kind: "text",
    value: "FILE",
    default: "",
    help: "look for faults in this manifest",
  },
  HELP_FLAG,
] as const satisfies readonly Flag[];

type Values = FlagValues<typeof MANIFEST_FLAGS>;

/** Flags that say what a new manifest holds, which one that is there says itself. */
const ONLY_NEW = ["dual-stack", "plain", "memory", "pod-monitor", "network-policy"];
/** Flags that say how variables are filled. */
const ONLY_FILLED = ["mode", "image", "diff"];
const MAX_NAMESPACES = 1000;
const KUBE_DNS_HINT = "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}";

/** Values that were checked, for a manifest that is there already. */
export interface FileArguments {
  file: string;
  localDns: string;
  /** Null if it was not given, as the two above are only then what is expected. */
  kubeDns: string | null;
  domain: string;
  mode: "iptables" | "ipvs";
  image: string;
  ranges: readonly Network[];
  /** Names of the flags that were given. */
  given: ReadonlySet<string>;
}

/** What `nodens manifest` is asked for. */
export type ManifestArguments =
  | { action: "render"; options: ManifestOptions }
  | { action: "fill"; options: FileArguments; diff: boolean }
  | { action: "check"; options: FileArguments };

/** Reads the arguments of `nodens manifest`. Throws `FlagError` for what cannot be used. */
export function readManifestArguments(args: readonly string[]): ManifestArguments {
  const { values, given, rest } = parseFlags(args, MANIFEST_FLAGS);
  if (rest.length > 0) throw new FlagError(`unknown argument "${rest[0]}" (flags begin with -)`);
  const from = values.from;
  const check = values.check;
  if (given.has("from") && given.has("check")) {
    throw new FlagError("flags -from and -check: give one of them (-from checks what it prints)");
  }
  const forFile = given.has("from") ? "from" : given.has("check") ? "check" : null;
  if (forFile === null) {
    if (given.has("diff")) throw new FlagError("flag -diff goes with -from FILE");
    return { action: "render", options: readOptions(values) };
  }
  const senseless = forFile === "from" ? ONLY_NEW : [...ONLY_NEW, ...ONLY_FILLED];
  for (const name of senseless) {
    if (given.has(name)) throw new FlagError(`flag -${name}: not together with -${forFile}`);
  }
  if (values[forFile] === "") throw new FlagError(`flag -${forFile} needs a file`);
  const kubeDns = values.kubedns;
  const options: FileArguments = {
    file: from || check,
    localDns: readAddress("localdns", values),
    kubeDns: kubeDns === "" ? null : readAddress("kubedns", values),
    domain: readDomain(values),
    mode: readFileMode(values),
    image: readImage(values),
    ranges: readRanges(values),
    given,
  };
  return forFile === "check"
    ? { action: "check", options }
    : { action: "fill", options, diff: values.diff };
}

function readOptions(values: Values): ManifestOptions {
  if (values.kubedns === "") {
    throw new FlagError(
      `flag -kubedns is needed: the address of the kube-dns service (${KUBE_DNS_HINT})`,
    );
  }
  const { mode } = values;
  const localDns = [readAddress("localdns", values)];
  const kubeDns = [readAddress("kubedns", values)];
  if (isV6(localDns[0]!) !== isV6(kubeDns[0]!)) {
    throw new FlagError(
      `flag -kubedns: ${kubeDns[0]} and -localdns ${localDns[0]} are of two families (-dual-stack` +
        " takes those of the other one)",
    );
  }
  const second = readDualStack(values, isV6(localDns[0]!));
  if (second !== null) {
    localDns.push(second[0]);
    kubeDns.push(second[1]);
  }
  const ranges = readRanges(values);
  for (const [i, address] of localDns.entries()) {
    const why = localAddressFault(address, { ranges, kubeDns });
    if (why === null) continue;
    throw new FlagError(
      `flag -${i === 0 ? "localdns" : "dual-stack"}: ${address} cannot be nodens's own address:` +
        ` ${why} (169.254.20.10 and addresses of fd00::/8 that nobody has are usual)`,
    );
  }
  return {
    localDns,
    kubeDns,
    mode,
    domain: readDomain(values),
    image: readImage(values),
    plain: values.plain,
    memory: readMemory(values),
    podMonitor: values["pod-monitor"],
    networkPolicies: readNamespaces(values),
  };
}

function readDualStack(values: Values, firstIsV6: boolean): [string, string] | null {
  const text = values["dual-stack"];
  if (text === "") return null;
  const example = firstIsV6 ? "169.254.20.10,10.96.0.10" : "fd00::10,fd00:10:96::a";
  const addresses = text.split(",");
  if (addresses.length !== 2 || addresses.some((one) => parseAddress(one) === null)) {
    throw new FlagError(
      `flag -dual-stack: "${text}" is not two addresses, the local one and that of kube-dns` +
        ` (write ${example})`,
    );
  }
  if (addresses.some((one) => isV6(one) === firstIsV6)) {
    throw new FlagError(
      `flag -dual-stack: "${text}" is not of the other family than -localdns (write ${example})`,
    );
  }
  return [canonicalAddress(addresses[0]!), canonicalAddress(addresses[1]!)];
}

function readAddress(name: "localdns" | "kubedns", values: Values): string {
  const text = values[name];
  if (parseAddress(text) === null) {
    throw new FlagError(`flag -${name}: "${text}" is not an IP address (write it like 10.96.0.10)`);
  }
  return canonicalAddress(text);
}

function isV6(address: string): boolean {
  return address.includes(":");
}

function readDomain(values: Values): string {
  const text = values.domain.replace(/(?<=.)\.$/, "");
  const labels = text.split(".");
  const good = labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  try {
    if (good) normalizeZone(text);
  } catch (error) {
    throw new FlagError(`flag -domain: "${text}": ${(error as Error).message}`);
  }
  if (!good) throw new FlagError(`flag -domain: "${text}" is not a domain (like cluster.local)`);
  return text;
}

/** The modes whose variables Kubernetes documents; the third one needs arguments besides. */
function readFileMode(values: Values): "iptables" | "ipvs" {
  const { mode } = values;
  if (mode !== "redirect") return mode;
  throw new FlagError(
    "flag -mode: redirect needs arguments that the file of -from does not have (print a new" +
      " manifest without -from)",
  );
}

/** What a container runtime takes, and nothing that would end a word of YAML. */
function readImage(values: Values): string {
  const text = values.image;
  if (!/^[A-Za-z0-9][A-Za-z0-9._/@:-]{0,511}$/.test(text) || text.endsWith(":")) {
    throw new FlagError(
      `flag -image: "${text}" is not an image (like example.org/nodens:${VERSION})`,
    );
  }
  return text;
}

function readMemory(values: Values): string {
  const text = values.memory;
  const bytes = /^[1-9][0-9]{0,14}(|k|M|G|Ki|Mi|Gi)$/.test(text) ? parseQuantity(text) : null;
  if (bytes === null) {
    throw new FlagError(`flag -memory: "${text}" is not a size (write it like 192Mi or 1Gi)`);
  }
  if (bytes < MIN_MEMORY_BYTES) {
    const least = `${MIN_MEMORY_BYTES / 2 ** 20}Mi`;
    throw new FlagError(
      `flag -memory: ${text} is too little (${least} at least: the program itself takes up to 96Mi)`,
    );
  }
  return text;
}

function readRanges(values: Values): Network[] {
  return list("cluster-range", values).map((text) => {
    const network = parseNetwork(text);
    if (network !== null) return network;
    throw new FlagError(
      `flag -cluster-range: "${text}" is not a range (write it like 10.96.0.0/12)`,
    );
  });
}

function readNamespaces(values: Values): string[] {
  const names = list("network-policy", values);
  const bad = names.find((name) => !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name));
  if (bad !== undefined) {
    throw new FlagError(`flag -network-policy: "${bad}" is not a namespace (like default,shop)`);
  }
  if (names.length > MAX_NAMESPACES) {
    throw new FlagError(`flag -network-policy: more than ${MAX_NAMESPACES} namespaces`);
  }
  return [...new Set(names)];
}

function list(name: "cluster-range" | "network-policy", values: Values): string[] {
  const text = values[name];
  return text === "" ? [] : text.split(",");
}
