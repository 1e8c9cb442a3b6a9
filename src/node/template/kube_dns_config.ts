import { quote } from "../../corefile/quote.ts";
import { parseEndpoint } from "../../upstream/endpoint.ts";

/** The limit of `forward`. */
const MAX_SERVERS = 15;
/** kube-dns's limit. */
const MAX_UPSTREAMS = 3;
const MAX_NAME_SIZE = 253;
/** A label of a DNS-1123 subdomain. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const STUB_DOMAINS_EXAMPLE = '{"acme.local": ["10.0.0.10"]}';
const UPSTREAMS_EXAMPLE = '["10.0.0.10", "10.0.0.11:1053"]';
const ADDRESS_EXAMPLE = "10.0.0.10, 10.0.0.10:1053 or [2001:db8::1]:1053";

/** A domain and its servers. */
export interface StubDomain {
  name: string;
  servers: string[];
}

/** Content of the kube-dns config map. */
export interface KubeDnsConfig {
  /** Sorted, for a stable result. */
  readonly stubDomains: readonly StubDomain[];
  readonly upstreamNameservers: readonly string[];
}

/** Content of an empty config map. */
export const NO_KUBE_DNS_CONFIG: KubeDnsConfig = { stubDomains: [], upstreamNameservers: [] };

/** Files of the config map. */
export const KUBE_DNS_FILES = ["stubDomains", "upstreamNameservers"] as const;

/** Parses the files (null: missing) as kube-dns does; with faults, `config` is null. */
export function parseKubeDnsConfig(
  files: Readonly<Record<typeof KUBE_DNS_FILES[number], string | null>>,
  directory: string,
): { config: KubeDnsConfig | null; faults: string[] } {
  const faults: string[] = [];
  const read = <T>(name: keyof typeof files, parse: (text: string, fault: Fault) => T[]): T[] => {
    const text = files[name];
    const fault = (what: string) => void faults.push(`${directory}/${name}: ${what}`);
    return text === null ? [] : parse(text, fault);
  };
  const stubDomains = read("stubDomains", readStubDomains);
  const upstreamNameservers = read("upstreamNameservers", readUpstreams);
  return { config: faults.length > 0 ? null : { stubDomains, upstreamNameservers }, faults };
}

type Fault = (what: string) => void;

function readStubDomains(text: string, fault: Fault): StubDomain[] {
  const value = readJson(text, STUB_DOMAINS_EXAMPLE, fault);
  if (value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) {
    fault(`it is not a JSON object of domains and their servers (write ${STUB_DOMAINS_EXAMPLE})`);
    return [];
  }
  const stubs: StubDomain[] = [];
  for (const [name, servers] of Object.entries(value)) {
    checkName(name, fault);
    const problem = (what: string) => fault(`${quote(name)}: ${what}`);
    const texts = readTexts(servers, `{${quote(name)}: ["10.0.0.10"]}`, problem);
    if (texts === null) continue;
    if (texts.length === 0) problem("it has no server (add one, or remove the domain)");
    if (texts.length > MAX_SERVERS) {
      problem(`${texts.length} servers are too many (at most ${MAX_SERVERS})`);
    }
    for (const server of texts) checkServer(server, { names: true }, problem);
    stubs.push({ name, servers: texts });
  }
  return stubs.sort((a, b) => a.name < b.name ? -1 : 1);
}

function readUpstreams(text: string, fault: Fault): string[] {
  const value = readJson(text, UPSTREAMS_EXAMPLE, fault);
  if (value === null) return [];
  const texts = readTexts(value, UPSTREAMS_EXAMPLE, fault) ?? [];
  if (texts.length > MAX_UPSTREAMS) {
    fault(`${texts.length} servers are too many (at most ${MAX_UPSTREAMS}, as for kube-dns)`);
  }
  for (const server of texts) checkServer(server, { names: false }, fault);
  return texts;
}

function readJson(text: string, example: string, fault: Fault): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = text.trim() === "" ? "it is empty" : `it is not JSON: ${(error as Error).message}`;
    fault(`${why} (write ${example}, or remove the key)`);
    return null;
  }
}

function readTexts(value: unknown, example: string, fault: Fault): string[] | null {
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  fault(`it is not a JSON list of addresses in quotes (write ${example})`);
  return null;
}

function checkName(name: string, fault: Fault): void {
  if (name.length <= MAX_NAME_SIZE && name.split(".").every((label) => LABEL.test(label))) return;
  const remedy = name.endsWith(".") && name.length > 1
    ? "remove the trailing dot"
    : name !== name.toLowerCase()
    ? "write it in lower case"
    : "letters, digits and hyphens, with dots between";
  fault(`${quote(name)} is not a domain name as Kubernetes requires it (${remedy})`);
}

/** @param options - `names`: allow host names, for stub domains */
function checkServer(text: string, { names }: { names: boolean }, fault: Fault): void {
  const wrong = `${quote(text)} is not an IP address with an optional port`;
  try {
    const endpoint = text.includes("%") ? null : parseEndpoint(text, "dns");
    if (endpoint !== null && (endpoint.isAddress || names)) return;
  } catch (error) {
    return fault(`${wrong}: ${(error as Error).message}`);
  }
  fault(`${wrong}${names ? ", or a host name" : ""} (write ${ADDRESS_EXAMPLE})`);
}
