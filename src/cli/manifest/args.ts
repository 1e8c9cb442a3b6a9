import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { normalizeZone } from "../../dns/zone.ts";
import type { VariableValues } from "../../manifest/fill.ts";
import { MIN_MEMORY_BYTES, parseQuantity } from "../../manifest/memory.ts";
import { localAddressFault, parseRange, type Range } from "../../manifest/networks.ts";
import type { ManifestOptions } from "../../manifest/options.ts";
import {
  boolean,
  choice,
  FlagError,
  flagFault,
  type FlagValues,
  HELP_FLAG,
  type ParsedFlags,
  text,
} from "../flags.ts";
import { KERNEL_FLAGS, readKernelHits } from "../serve/kernel_flags.ts";
import { VERSION } from "../version.ts";

/** Flags of `nodens manifest`; defaults of values.yaml. */
export const MANIFEST_FLAGS = {
  localdns: text("ADDRESS", "address of nodens on every node", "169.254.20.10"),
  domain: text("DOMAIN", "domain of the cluster", "cluster.local"),
  kubedns: text("ADDRESS", "address of the kube-dns service"),
  "dual-stack": text("ADDRESSES", "-localdns,-kubedns of the other family: fd00::10,fd00:10:96::a"),
  mode: choice(
    "MODE",
    ["iptables", "ipvs", "redirect"],
    "iptables or ipvs (kube-proxy), or redirect",
  ),
  image: text("IMAGE", "image of nodens with iptables", `nodens-node:${VERSION}`),
  plain: boolean("the published Corefile as it is, without prefetch and serve_stale"),
  memory: text("SIZE", "memory limit, which the size of the caches follows", "192Mi"),
  "cluster-range": text("RANGES", "service and pod ranges, comma-separated, without -localdns"),
  clients: choice(
    "SOURCE",
    ["off", "kubelet", "kubelet-before-1.33"],
    "names of clients: off, or the pods of the kubelet, by a wider right before Kubernetes 1.33",
  ),
  ...KERNEL_FLAGS,
  "pod-monitor": boolean("add a PodMonitor for the Prometheus operator"),
  "network-policy": text("NAMESPACES", "namespaces with a NetworkPolicy for DNS, comma-separated"),
  from: text("FILE", "fill this manifest of Kubernetes instead, and change its image"),
  diff: boolean("with -from: print what changes"),
  check: text("FILE", "find the faults of this manifest"),
  inherit: text("FILE", "bring over (-check: name) what these ConfigMaps of CoreDNS add"),
  h: HELP_FLAG,
};

/** Values of the flags. */
export type ManifestValues = FlagValues<typeof MANIFEST_FLAGS>;

const ONLY_NEW = [
  "dual-stack",
  "plain",
  "memory",
  "clients",
  "kernel-hits",
  "pod-monitor",
  "network-policy",
];
const ONLY_FILLED = ["mode", "image", "diff"];
const MAX_NAMESPACES = 1000;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const KUBE_DNS_HINT = "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}";

/** Flags for an existing manifest. */
export interface FileArguments extends VariableValues {
  file: string;
  image: string;
  ranges: readonly Range[];
  given: ReadonlySet<string>;
}

type ManifestArguments =
  | { action: "render"; options: ManifestOptions }
  | { action: "fill"; options: FileArguments; diff: boolean }
  | { action: "check"; options: FileArguments };

/** Checks the flags. Throws `FlagError`. */
export function readManifestArguments(
  { values, given }: Pick<ParsedFlags<ManifestValues>, "values" | "given">,
): ManifestArguments {
  const action = given.has("from") ? "from" : given.has("check") ? "check" : null;
  if (given.has("inherit") && values.inherit === "") {
    throw new FlagError("flag -inherit needs a file (kubectl get configmap coredns -o yaml)");
  }
  if (action === null) {
    if (given.has("diff")) throw new FlagError("flag -diff goes with -from FILE");
    return { action: "render", options: readOptions(values) };
  }
  if (given.has("from") && given.has("check")) {
    throw new FlagError("flags -from and -check: give one of them (-from checks what it prints)");
  }
  const unsuitable = [...ONLY_NEW, ...action === "check" ? ONLY_FILLED : []];
  for (const name of unsuitable.filter((name) => given.has(name))) {
    throw flagFault(name, `not together with -${action}`);
  }
  if (values[action] === "") throw new FlagError(`flag -${action} needs a file`);
  if (values.mode === "redirect") {
    throw flagFault(
      "mode",
      "redirect needs arguments that the file of -from does not have (print a new manifest" +
        " without -from)",
    );
  }
  const options: FileArguments = {
    file: values[action],
    localDns: readAddress("localdns", values),
    kubeDns: values.kubedns === "" ? null : readAddress("kubedns", values),
    domain: readDomain(values),
    mode: values.mode,
    image: readImage(values),
    ranges: readRanges(values),
    given,
  };
  return action === "check" ? { action, options } : { action: "fill", options, diff: values.diff };
}

function readOptions(values: ManifestValues): ManifestOptions {
  if (values.kubedns === "") {
    throw new FlagError(
      `flag -kubedns is needed: the address of the kube-dns service (${KUBE_DNS_HINT})`,
    );
  }
  const first = [readAddress("localdns", values), readAddress("kubedns", values)] as const;
  if (isV6(first[0]) !== isV6(first[1])) {
    throw flagFault(
      "kubedns",
      `${first[1]} and -localdns ${first[0]} are of two families (-dual-stack takes those of the` +
        " other one)",
    );
  }
  const pairs = [first, ...readDualStack(values, isV6(first[0]))];
  const [localDns, kubeDns] = [pairs.map(([local]) => local), pairs.map(([, service]) => service)];
  const ranges = readRanges(values);
  for (const [i, address] of localDns.entries()) {
    const why = localAddressFault(address, { ranges, kubeDns });
    if (why === null) continue;
    throw flagFault(
      i === 0 ? "localdns" : "dual-stack",
      `${address} cannot be nodens's own address: ${why} (169.254.20.10 and unused addresses of` +
        " fd00::/8 are usual)",
    );
  }
  return {
    localDns,
    kubeDns,
    mode: values.mode,
    domain: readDomain(values),
    image: readImage(values),
    plain: values.plain,
    memory: readMemory(values),
    clients: values.clients,
    kernelHits: readKernelHits(values),
    podMonitor: values["pod-monitor"],
    networkPolicies: readNamespaces(values),
  };
}

function readDualStack(
  { "dual-stack": text }: ManifestValues,
  firstIsV6: boolean,
): [local: string, service: string][] {
  if (text === "") return [];
  const example = firstIsV6 ? "169.254.20.10,10.96.0.10" : "fd00::10,fd00:10:96::a";
  const fault = (why: string) =>
    flagFault("dual-stack", `"${text}" is not ${why} (write ${example})`);
  const addresses = text.split(",");
  if (addresses.length !== 2 || addresses.some((one) => parseAddress(one) === null)) {
    throw fault("two addresses, the local one and that of kube-dns");
  }
  if (addresses.some((one) => isV6(one) === firstIsV6)) {
    throw fault("of the other family than -localdns");
  }
  return [addresses.map(canonicalAddress) as [string, string]];
}

function readAddress(name: "localdns" | "kubedns", values: ManifestValues): string {
  const text = values[name];
  if (parseAddress(text) !== null) return canonicalAddress(text);
  throw flagFault(name, `"${text}" is not an IP address (write it like 10.96.0.10)`);
}

function isV6(address: string): boolean {
  return address.includes(":");
}

function readDomain({ domain }: ManifestValues): string {
  const text = domain.replace(/(?<=.)\.$/, "");
  if (!text.split(".").every((label) => LABEL.test(label))) {
    throw flagFault("domain", `"${text}" is not a domain (like cluster.local)`);
  }
  try {
    normalizeZone(text);
    return text;
  } catch (error) {
    throw flagFault("domain", `"${text}": ${(error as Error).message}`);
  }
}

/** No allowed character ends a word of YAML. */
function readImage({ image }: ManifestValues): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._/@:-]{0,511}(?<!:)$/.test(image)) return image;
  throw flagFault("image", `"${image}" is not an image (like example.org/nodens:${VERSION})`);
}

function readMemory({ memory }: ManifestValues): string {
  const bytes = /^[1-9][0-9]{0,14}(|k|M|G|Ki|Mi|Gi)$/.test(memory) ? parseQuantity(memory) : null;
  if (bytes === null) {
    throw flagFault("memory", `"${memory}" is not a size (write it like 192Mi or 1Gi)`);
  }
  if (bytes >= MIN_MEMORY_BYTES) return memory;
  const least = `${MIN_MEMORY_BYTES / 2 ** 20}Mi at least: the program itself takes up to 96Mi`;
  throw flagFault("memory", `${memory} is too little (${least})`);
}

function readRanges(values: ManifestValues): Range[] {
  return list(values["cluster-range"]).map((text) => {
    const network = parseRange(text);
    if (network !== null) return network;
    throw flagFault("cluster-range", `"${text}" is not a range (write it like 10.96.0.0/12)`);
  });
}

function readNamespaces(values: ManifestValues): string[] {
  const names = list(values["network-policy"]);
  const bad = names.find((name) => name !== name.toLowerCase() || !LABEL.test(name));
  if (bad !== undefined) {
    throw flagFault("network-policy", `"${bad}" is not a namespace (like default,shop)`);
  }
  if (names.length > MAX_NAMESPACES) {
    throw flagFault("network-policy", `more than ${MAX_NAMESPACES} namespaces`);
  }
  return [...new Set(names)];
}

function list(text: string): string[] {
  return text === "" ? [] : text.split(",");
}
