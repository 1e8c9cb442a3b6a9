import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { parseAddress } from "../../dns/address.ts";
import type { UpstreamOptions } from "./options.ts";
import { readResolvConf } from "./resolv_conf.ts";

/** Most TO of one directive (CoreDNS's limit); a resolv.conf counts as one. */
const MAX_TO = 15;
const DNS_PORT = 53;
const PORT = { min: 1, max: 65535 } as const;
const EXAMPLES = "10.0.0.10, 10.0.0.10:1053, [2001:db8::1]:53 or /etc/resolv.conf";
/** Schemes that CoreDNS forwards to, and nodens will. */
const LATER = ["tls", "https"];

/** Reads TO: IP addresses with or without a port, and files in the form of resolv.conf. */
export function readUpstreams(
  tokens: Dispenser,
  to: readonly string[],
  context: { host: HostView; warn: (text: string) => void },
): UpstreamOptions[] {
  if (to.length === 0) throw tokens.error(`it needs an upstream (${EXAMPLES})`);
  if (to.length > MAX_TO) {
    throw tokens.error(`${to.length} upstreams are too many (at most ${MAX_TO})`);
  }
  const upstreams = new Map<string, UpstreamOptions>();
  const empty: string[] = [];
  for (const text of to) {
    const found = readOne(tokens, text, context);
    if (found.length === 0) empty.push(text);
    // The first place of an upstream that is named twice counts, as in CoreDNS.
    for (const upstream of found) {
      const key = `${upstream.address} ${upstream.port}`;
      if (!upstreams.has(key)) upstreams.set(key, upstream);
    }
  }
  for (const file of empty) {
    const what = `${quote(file)} names no server (it needs a line like "nameserver 10.0.0.10")`;
    // CoreDNS goes by the other upstreams where there are any.
    if (upstreams.size === 0) throw tokens.error(what);
    context.warn(what);
  }
  return [...upstreams.values()];
}

function readOne(
  tokens: Dispenser,
  text: string,
  { host, warn }: { host: HostView; warn: (text: string) => void },
): UpstreamOptions[] {
  const scheme = /^([a-z0-9]+):\/\/(.*)$/is.exec(text);
  if (scheme !== null && scheme[1] !== "dns") {
    const yet = LATER.includes(scheme[1]!) ? " yet" : "";
    throw tokens.error(
      `${quote(text)}: ${scheme[1]}:// upstreams are not supported${yet} (only plain DNS is)`,
    );
  }
  const rest = scheme === null ? text : scheme[2]!;
  const upstream = parseEndpoint(rest);
  if (upstream === "port") {
    throw tokens.error(`${quote(text)} has no valid port (${PORT.min} to ${PORT.max})`);
  }
  if (upstream !== null) return [upstream];
  if (scheme === null && host.kindOf(rest) === "file") {
    return readResolvConf(tokens, rest, { host, warn }).map((address) => ({
      address,
      port: DNS_PORT,
      transport: "dns",
      serverName: "",
    }));
  }
  throw tokens.error(
    rest.includes("/")
      ? `${quote(text)} is no IP address, and there is no such file (write ${EXAMPLES})`
      : `${quote(text)} is neither an IP address nor a file; host names cannot be used here yet ` +
        `(write ${EXAMPLES})`,
  );
}

/** An address with or without a port; null where it is none, "port" where only that is wrong. */
function parseEndpoint(text: string): UpstreamOptions | null | "port" {
  const whole = text.replace(/^\[(.*)\]$/s, "$1");
  if (isAddress(whole)) return { address: whole, port: DNS_PORT, transport: "dns", serverName: "" };
  const split = /^(?:\[([^\]]+)\]|([^:]+)):(.*)$/s.exec(text);
  const address = split?.[1] ?? split?.[2];
  if (split === null || address === undefined || !isAddress(address)) return null;
  const port = split[3]!;
  if (!/^[0-9]{1,5}$/.test(port)) return "port";
  if (Number(port) < PORT.min || Number(port) > PORT.max) return "port";
  return { address, port: Number(port), transport: "dns", serverName: "" };
}

/** Whether it is an IP address, for IPv6 with or without a scope. */
function isAddress(text: string): boolean {
  const [host, scope] = text.split("%");
  return parseAddress(host!) !== null && (scope === undefined || host!.includes(":"));
}
