import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { parseEndpoint, TRANSPORT_PORTS } from "../../upstream/endpoint.ts";
import type { ServerTransport } from "../../upstream/options.ts";
import type { ForwardTo } from "./options.ts";
import { MEANWHILE } from "./resolve_to.ts";
import { type ParsedResolvConf, parseResolvConf } from "../../config/resolv_conf.ts";

/** As in CoreDNS; a file or host name counts as one. */
const MAX_TO = 15;
const EXAMPLES = "10.0.0.10, 10.0.0.10:1053, [2001:db8::1]:53, tls://9.9.9.9%dns.quad9.net, " +
  "dns.example.org or /etc/resolv.conf";
const SCHEMES = Object.keys(TRANSPORT_PORTS) as ServerTransport[];

type Files = Map<string, ParsedResolvConf | null>;

/** Throws `CorefileError`. */
export function readTo(
  tokens: Dispenser,
  texts: readonly string[],
  context: { host: HostView; warn: (text: string) => void; tlsServerName: string },
): ForwardTo[] {
  if (texts.length === 0) throw tokens.error(`it needs an upstream (${EXAMPLES})`);
  if (texts.length > MAX_TO) {
    throw tokens.error(`${texts.length} upstreams are too many (at most ${MAX_TO})`);
  }
  const { host, warn, tlsServerName } = context;
  const files: Files = new Map();
  const all = texts.map((text) => readOne(tokens, text, { host, tlsServerName, files }));
  const others = all.some((to) => to.kind !== "file" || to.content.servers.length > 0);
  const meanwhile = others ? MEANWHILE.others : MEANWHILE.nobody;
  for (const [path, found] of files) {
    for (const word of found?.invalid ?? []) {
      warn(`${path}: ${quote(word)} is not an IP address; the line is ignored`);
    }
    if (found === null) {
      warn(`${quote(path)} does not exist yet; ${meanwhile}`);
    } else if (found.servers.length === 0) {
      const example = 'it needs a line like "nameserver 10.0.0.10"';
      warn(`${quote(path)} names no server yet (${example}); ${meanwhile}`);
    }
  }
  return all;
}

function readFile(tokens: Dispenser, path: string, host: HostView): ParsedResolvConf | null {
  try {
    return parseResolvConf(host.readTextFile(path));
  } catch (error) {
    if ((error as Error).name === "NotFound") return null;
    throw tokens.error(`cannot read ${quote(path)}: ${readFailure(error)}`);
  }
}

function readOne(
  tokens: Dispenser,
  text: string,
  { host, tlsServerName, files }: { host: HostView; tlsServerName: string; files: Files },
): ForwardTo {
  const { transport, rest } = splitScheme(tokens, text);
  const secure = transport !== "dns";
  if (secure && rest.includes("/")) {
    throw tokens.error(
      transport === "https"
        ? `${quote(text)}: a path cannot be given, it is always /dns-query (leave it out)`
        : `${quote(text)}: a file cannot follow tls:// (name the servers themselves)`,
    );
  }
  const endpoint = parsed(tokens, quote(text), () => parseEndpoint(rest, transport));
  // As in CoreDNS, files precede host names.
  const kind = endpoint?.isAddress || secure ? null : host.kindOf(rest);
  const isPath = endpoint === null && !secure && isFilePath(rest);
  if (kind === "other" || (kind === "directory" && isPath)) {
    throw tokens.error(`${quote(rest)} is not a regular file`);
  }
  // A missing file may appear later.
  if (kind === "file" || isPath) {
    const path = host.absolute(rest);
    if (!files.has(path)) files.set(path, readFile(tokens, path, host));
    const { invalid: _, ...content } = files.get(path) ?? parseResolvConf("");
    return { kind: "file", path, content };
  }
  if (endpoint === null) {
    throw tokens.error(
      rest.includes("/")
        ? `${quote(text)} is not an IP address, and there is no such file (write ${EXAMPLES})`
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
  // DNS proves nothing, so the certificate must carry the host name.
  const name = secure ? serverName || endpoint.host : "";
  return { kind: "name", host: endpoint.host, port, transport, serverName: name };
}

/** Whether it is a path, not a mistyped address. */
function isFilePath(text: string): boolean {
  const [first, ...rest] = text.split("/");
  try {
    return rest.length > 0 && parseEndpoint(first!, "dns")?.isAddress !== true;
  } catch {
    return false;
  }
}

/** Reports an exception as an error about `what`. */
export function parsed<T>(tokens: Dispenser, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw tokens.error(`${what}: ${(error as Error).message}`);
  }
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
