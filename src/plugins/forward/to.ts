import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { type Endpoint, parseEndpoint, TRANSPORT_PORTS } from "./endpoint.ts";
import type { ServerTransport } from "../../upstream/options.ts";
import type { ForwardTo } from "./options.ts";
import { parseResolvConf } from "./resolv_conf.ts";

/** Most TO of one directive (CoreDNS's limit); a resolv.conf or a name counts as one. */
const MAX_TO = 15;
const EXAMPLES = "10.0.0.10, 10.0.0.10:1053, [2001:db8::1]:53, tls://9.9.9.9%dns.quad9.net, " +
  "dns.example.org or /etc/resolv.conf";
const SCHEMES = Object.keys(TRANSPORT_PORTS) as ServerTransport[];

/** TO as they are written, and the texts of the files among them by path. */
export interface ReadTo {
  to: ForwardTo[];
  files: Map<string, string>;
}

/** Reads TO: addresses, host names, and files in the form of resolv.conf. Throws `CorefileError`. */
export function readTo(
  tokens: Dispenser,
  texts: readonly string[],
  context: { host: HostView; warn: (text: string) => void; tlsServerName: string },
): ReadTo {
  if (texts.length === 0) throw tokens.error(`it needs an upstream (${EXAMPLES})`);
  if (texts.length > MAX_TO) {
    throw tokens.error(`${texts.length} upstreams are too many (at most ${MAX_TO})`);
  }
  const { host, warn, tlsServerName } = context;
  const read: ReadTo = { to: [], files: new Map() };
  const empty: string[] = [];
  for (const text of texts) {
    const to = readOne(tokens, text, { host, tlsServerName });
    read.to.push(to);
    if (to.kind !== "file" || read.files.has(to.path)) continue;
    const file = readFile(tokens, to.path, host);
    read.files.set(to.path, file);
    const { servers, invalid } = parseResolvConf(file);
    if (servers.length === 0) empty.push(to.path);
    for (const word of invalid) {
      warn(`${to.path}: ${quote(word)} is no IP address; the line is ignored`);
    }
  }
  for (const path of empty) {
    const what = `${quote(path)} names no server (it needs a line like "nameserver 10.0.0.10")`;
    // CoreDNS goes by the other upstreams where there are any.
    if (read.to.every((to) => to.kind === "file" && empty.includes(to.path))) {
      throw tokens.error(what);
    }
    warn(what);
  }
  return read;
}

function readFile(tokens: Dispenser, path: string, host: HostView): string {
  try {
    return host.readTextFile(path);
  } catch (error) {
    throw tokens.error(`cannot read ${quote(path)}: ${readFailure(error)}`);
  }
}

function readOne(
  tokens: Dispenser,
  text: string,
  { host, tlsServerName }: { host: HostView; tlsServerName: string },
): ForwardTo {
  const { transport, rest } = splitScheme(tokens, text);
  const secure = transport !== "dns";
  if (secure && rest.includes("/")) {
    throw tokens.error(
      transport === "https"
        ? `${quote(text)}: a path cannot be given, it is always /dns-query (leave it out)`
        : `${quote(text)}: no file can stand behind tls:// (name the servers themselves)`,
    );
  }
  let endpoint: Endpoint | null;
  try {
    endpoint = parseEndpoint(rest, transport);
  } catch (error) {
    throw tokens.error(`${quote(text)}: ${(error as Error).message}`);
  }
  // As in CoreDNS a file goes before a host name that is spelled like it.
  const kind = endpoint?.isAddress || secure ? null : host.kindOf(rest);
  if (kind === "other") throw tokens.error(`${quote(rest)} is not a regular file`);
  if (kind === "file") {
    return { kind: "file", path: host.absolute(rest) };
  }
  if (endpoint === null) {
    throw tokens.error(
      rest.includes("/")
        ? `${quote(text)} is no IP address, and there is no such file (write ${EXAMPLES})`
        : `${quote(text)} is neither an IP address nor a file or host name (write ${EXAMPLES})`,
    );
  }
  if (endpoint.serverName !== "" && tlsServerName !== "") {
    throw tokens.error(
      `${quote(text)} names its certificate, and tls_servername does too (leave one out)`,
    );
  }
  const port = endpoint.port ?? TRANSPORT_PORTS[transport];
  const serverName = secure ? endpoint.serverName || tlsServerName : "";
  if (endpoint.isAddress) {
    return { kind: "server", upstream: { address: endpoint.host, port, transport, serverName } };
  }
  // The reply that resolves the name proves nothing, so the certificate must be the name's own.
  const name = secure ? serverName || endpoint.host : "";
  return { kind: "name", host: endpoint.host, port, transport, serverName: name };
}

function splitScheme(
  tokens: Dispenser,
  text: string,
): { transport: ServerTransport; rest: string } {
  const [, written, behind] = /^([a-z0-9]+):\/\/(.*)$/is.exec(text) ?? [];
  if (written === undefined) return { transport: "dns", rest: text };
  const transport = SCHEMES.find((scheme) => scheme === written.toLowerCase());
  if (transport === undefined) {
    const hint = didYouMean(written, SCHEMES) || ` (${SCHEMES.join(", ")})`;
    throw tokens.error(`${quote(text)}: ${written}:// upstreams are not supported${hint}`);
  }
  return { transport, rest: behind! };
}
