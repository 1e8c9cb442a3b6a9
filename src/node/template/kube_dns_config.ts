import { quote } from "../../corefile/quote.ts";
import { parseEndpoint } from "../../upstream/endpoint.ts";

/** Most servers of a stub domain: no `forward` takes more. */
const MAX_SERVERS = 15;
/** Most upstream servers (kube-dns's limit). */
const MAX_UPSTREAMS = 3;
const MAX_NAME_SIZE = 253;
/** A label of a DNS-1123 subdomain, which is what Kubernetes asks for. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const STUB_DOMAINS_EXAMPLE = '{"acme.local": ["10.0.0.10"]}';
const UPSTREAMS_EXAMPLE = '["10.0.0.10", "10.0.0.11:1053"]';
const ADDRESS_EXAMPLE = "10.0.0.10, 10.0.0.10:1053 or [2001:db8::1]:1053";

/** A domain with servers of its own. */
export interface StubDomain {
  name: string;
  /** As `forward` takes them; at least one. */
  servers: string[];
}

/** What the kube-dns config map says. */
export interface KubeDnsConfig {
  /** Sorted by name, so that an order that says nothing changes nothing. */
  stubDomains: StubDomain[];
  upstreamNameservers: string[];
}

/** What no config map says. */
export const NO_KUBE_DNS_CONFIG: KubeDnsConfig = { stubDomains: [], upstreamNameservers: [] };

/** Files of the config map that count, by their names in its directory. */
export const KUBE_DNS_FILES = ["stubDomains", "upstreamNameservers"] as const;

/**
 * Reads the files of a mounted kube-dns config map; null stands for one that is not there.
 *
 * Checks as kube-dns does. Where anything is wrong the whole is refused, so `config` is null then
 * and `faults` names file, value and remedy of each.
 */
export function parseKubeDnsConfig(
  files: Readonly<Record<typeof KUBE_DNS_FILES[number], string | null>>,
  directory: string,
): { config: KubeDnsConfig | null; faults: string[] } {
  const faults: string[] = [];
  const stubDomains = files.stubDomains === null
    ? []
    : readStubDomains(files.stubDomains, faultsOf(`${directory}/stubDomains`, faults));
  const upstreamNameservers = files.upstreamNameservers === null ? [] : readUpstreams(
    files.upstreamNameservers,
    faultsOf(`${directory}/upstreamNameservers`, faults),
  );
  return { config: faults.length > 0 ? null : { stubDomains, upstreamNameservers }, faults };
}

type Fault = (what: string) => void;

function faultsOf(file: string, faults: string[]): Fault {
  return (what) => faults.push(`${file}: ${what}`);
}

function readStubDomains(text: string, fault: Fault): StubDomain[] {
  const value = readJson(text, STUB_DOMAINS_EXAMPLE, fault);
  if (value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) {
    fault(`it is no JSON object of domains with their servers (write ${STUB_DOMAINS_EXAMPLE})`);
    return [];
  }
  const stubs: StubDomain[] = [];
  for (const [name, servers] of Object.entries(value)) {
    const wrong = wrongName(name);
    if (wrong !== null) fault(`${quote(name)} ${wrong}`);
    const problem = (what: string) => fault(`${quote(name)}: ${what}`);
    const texts = readTexts(servers, `{${quote(name)}: ["10.0.0.10"]}`, problem);
    if (texts === null) continue;
    if (texts.length === 0) problem("it has no server (add one, or take the domain out)");
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

/** The value of a JSON text; null if it is none, and for `null`. */
function readJson(text: string, example: string, fault: Fault): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = text.trim() === "" ? "it is empty" : `it is no JSON: ${(error as Error).message}`;
    fault(`${why} (write ${example}, or take the key out)`);
    return null;
  }
}

function readTexts(value: unknown, example: string, fault: Fault): string[] | null {
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  fault(`it is no JSON list of addresses in quotes (write ${example})`);
  return null;
}

/** What is wrong with the name of a domain, or null. */
function wrongName(name: string): string | null {
  if (name.length <= MAX_NAME_SIZE && name.split(".").every((label) => LABEL.test(label))) {
    return null;
  }
  const remedy = name.endsWith(".") && name.length > 1
    ? "leave the closing dot out"
    : name !== name.toLowerCase()
    ? "write it in lower case"
    : "letters, digits and hyphens, with dots between";
  return `is no domain name as Kubernetes has them (${remedy})`;
}

/** Tells what is wrong with a server; `names` allows host names, as kube-dns does for stub domains. */
function checkServer(text: string, { names }: { names: boolean }, fault: Fault): void {
  const wrong = `${quote(text)} is no IP address with an optional port`;
  let endpoint;
  try {
    // An interface behind a % is nothing that a whole cluster could share.
    endpoint = text.includes("%") ? null : parseEndpoint(text, "dns");
  } catch (error) {
    fault(`${wrong}: ${(error as Error).message}`);
    return;
  }
  if (endpoint === null || (!endpoint.isAddress && !names)) {
    const name = names ? ", or a host name" : "";
    fault(`${wrong}${name} (write ${ADDRESS_EXAMPLE})`);
  }
}
