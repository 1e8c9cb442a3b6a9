import { formatDuration, MAX_DURATION_MS, parseDuration } from "../../corefile/values.ts";
import { quote } from "../../corefile/quote.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { normalizeZone } from "../../dns/zone.ts";
import type { NodeOptions, TemplateOptions } from "../../node/options.ts";
import { parseHttpAddress } from "../../plugins/http_address.ts";
import { boolean, FlagError, type FlagValues, port, text } from "../flags.ts";

const CONFIG_DIRECTORY = "/etc/kube-dns";
const METRICS_ADDRESS = "0.0.0.0:9353";
/** Each address adds a dozen rules. */
const MAX_LOCAL_IPS = 16;
/** IFNAMSIZ without the final zero. */
const MAX_INTERFACE_NAME = 15;
const SYNC_INTERVAL_MS = { min: 1000, max: MAX_DURATION_MS } as const;
const NODE_CACHE_SECONDS = /^([0-9]+)ns$/;

/** node-cache's flags. */
export const NODE_FLAGS = {
  localip: text(
    "ADDRESSES",
    "addresses to serve on this node, comma-separated; else it is unchanged",
  ),
  setupinterface: boolean("make an interface that has those addresses", true),
  interfacename: text("NAME", "name of that interface", "nodelocaldns"),
  setupiptables: boolean("make the iptables rules for those addresses", true),
  syncinterval: text("DURATION", "how often interface and rules are checked; 60, 60s, 1m", "60"),
  skipteardown: boolean("leave interface and rules when the process ends"),
  "health-port": port(8080, "port of the health plugin"),
  corefile: text("FILE", "where the filled Corefile is written; -conf overrides", "/etc/Corefile"),
  basecorefile: text("FILE", "template of the Corefile", "/etc/coredns/Corefile.base"),
  kubednscm: text("FOLDER", `kube-dns config map; default: ${CONFIG_DIRECTORY} if it exists`),
  upstreamsvc: text("NAME", "Service whose address is __PILLAR__CLUSTER__DNS__", "kube-dns"),
  domain: text("DOMAIN", "value of __PILLAR__DNS__DOMAIN__", "cluster.local"),
  "prometheus-listen-address": text(
    "ADDRESS",
    "value of __PROMETHEUS__ENDPOINT__ in the template",
    ":9253",
  ),
  reloadwithsignal: boolean("accepted and ignored: a changed Corefile is always applied"),
};

/** Values of these and other flags. */
export interface NodeValues extends FlagValues<typeof NODE_FLAGS> {
  readonly conf: string;
  readonly "dns.port": number;
  readonly "metrics-listen-address": string;
}

/** Checks flags. A template requires `-localip` or `-basecorefile`. Throws `FlagError`. */
export function readNodeOptions(values: NodeValues, given: ReadonlySet<string>): NodeOptions {
  const localIps = readLocalIps(values.localip, given.has("localip"));
  const onNode = localIps.length > 0;
  const dnsPort = values["dns.port"];
  const metrics = values["metrics-listen-address"];
  return {
    localIps,
    dnsPort,
    healthPort: values["health-port"],
    setupInterface: onNode && values.setupinterface,
    interfaceName: readInterfaceName(values.interfacename),
    setupIptables: onNode && values.setupiptables,
    syncIntervalMs: readSyncInterval(values.syncinterval),
    skipTeardown: values.skipteardown,
    // node-cache's default applies only to nodes.
    metricsListenAddress: onNode && !given.has("metrics-listen-address")
      ? METRICS_ADDRESS
      : metrics,
    template: onNode || given.has("basecorefile")
      ? readTemplate(values, given, { localIps, dnsPort })
      : null,
  };
}

function readTemplate(
  values: NodeValues,
  given: ReadonlySet<string>,
  { localIps, dnsPort }: { localIps: string[]; dnsPort: number },
): TemplateOptions {
  const baseFile = readPath("basecorefile", values);
  // As in node-cache, -conf overrides -corefile.
  const target = values.conf === "" ? readPath("corefile", values) : values.conf;
  if (target === baseFile) {
    const remedy = "-conf and -corefile name that one";
    throw wrong(
      "basecorefile",
      baseFile,
      `is the file that the Corefile is written to (${remedy})`,
    );
  }
  const service = values.upstreamsvc;
  if (!/^[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i.test(service)) {
    const remedy = "write it without its namespace, like kube-dns-upstream";
    throw wrong("upstreamsvc", service, `is not the name of a Service (${remedy})`);
  }
  const config = values.kubednscm;
  return {
    baseFile,
    baseRequired: given.has("basecorefile"),
    target,
    configDirectory: (config || CONFIG_DIRECTORY).replace(/(?<=.)\/+$/, ""),
    configRequired: config !== "",
    upstreamService: service,
    domain: readDomain(values.domain),
    metricsEndpoint: readEndpoint(values["prometheus-listen-address"]),
    localIps,
    dnsPort,
  };
}

function readLocalIps(text: string, given: boolean): string[] {
  if (!given) return [];
  const fail = (what: string): never => {
    throw new FlagError(`flag -localip: ${what} (write 169.254.20.10,10.96.0.10)`);
  };
  const addresses = text.split(",").map((part) => {
    const address = part.trim();
    if (address === "") return fail(`an address is missing in ${quote(text)}`);
    if (address.includes("__PILLAR__")) {
      return fail(`${quote(address)} is an unfilled variable of the manifest`);
    }
    const bytes = parseAddress(address);
    if (bytes === null) return fail(`${quote(address)} is not an IP address`);
    const why = uselessAddress(bytes);
    if (why !== null) return fail(`${quote(address)} is ${why}, which no interface can have`);
    return canonicalAddress(address);
  });
  const different = [...new Set(addresses)];
  if (different.length > MAX_LOCAL_IPS) {
    fail(`${different.length} addresses are too many, at most ${MAX_LOCAL_IPS}`);
  }
  return different;
}

function uselessAddress(bytes: Uint8Array): string | null {
  if (bytes.every((octet) => octet === 0)) return "the unspecified address";
  const [first] = bytes as unknown as [number];
  if (bytes.length === 4) return first >= 224 ? "a multicast or reserved address" : null;
  if (first === 0xff) return "a multicast address";
  const mapped = bytes.subarray(0, 10).every((octet) => octet === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return mapped ? "an IPv4-mapped IPv6 address" : null;
}

function readInterfaceName(name: string): string {
  const fault = (why: string) =>
    wrong("interfacename", name, `${why} (the default is nodelocaldns)`);
  if (name === "") throw fault("is empty");
  const size = new TextEncoder().encode(name).length;
  if (size > MAX_INTERFACE_NAME) {
    throw fault(`is ${size} octets long, Linux takes at most ${MAX_INTERFACE_NAME}`);
  }
  // deno-lint-ignore no-control-regex
  if (name === "." || name === ".." || /[\s/:%\x00]/.test(name)) {
    throw fault("is not an interface name: it must not have spaces or / : %");
  }
  return name;
}

function readSyncInterval(text: string): number {
  // As in node-cache: 60ns means a minute.
  const seconds = NODE_CACHE_SECONDS.exec(text)?.[1];
  const ms = parseDuration(seconds ?? text);
  const { min, max } = SYNC_INTERVAL_MS;
  if (ms === null) {
    throw wrong("syncinterval", text, "is not a duration (write 60, 60s or 1m)");
  }
  if (ms >= min && ms <= max) return ms;
  const range = `${formatDuration(min)} to ${formatDuration(max)}`;
  throw wrong("syncinterval", text, `is out of range (${range})`);
}

function readPath(name: "basecorefile" | "corefile", values: NodeValues): string {
  const path = values[name];
  if (path === "") throw new FlagError(`flag -${name}: a path is missing (-${name} FILE)`);
  return path;
}

function readDomain(text: string): string {
  try {
    if (/[\s"#{}\\,:/]/.test(text)) {
      throw new SyntaxError("a character does not belong into a domain");
    }
    normalizeZone(text);
    return text;
  } catch (error) {
    const why = (error as Error).message;
    throw wrong("domain", text, `is not a domain (like cluster.local): ${why}`);
  }
}

/** An address, possibly with environment variables. */
function readEndpoint(text: string): string {
  // As in node-cache, empty means no address.
  const isWord = !/[\s"#]/.test(text);
  const withVariable = /\{[$%][^{}]+\}/.test(text);
  if (text === "" || isWord && (withVariable || parseHttpAddress(text) !== null)) return text;
  const forms = "HOST:PORT, [IPV6]:PORT or :PORT";
  throw wrong("prometheus-listen-address", text, `is not an address (${forms})`);
}

function wrong(flag: keyof typeof NODE_FLAGS, value: string, why: string): FlagError {
  return new FlagError(`flag -${flag}: ${quote(value)} ${why}`);
}
