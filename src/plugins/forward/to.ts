import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { parseAddress } from "../../dns/address.ts";
import type { UpstreamOptions } from "./options.ts";

/** Most upstreams of one directive (CoreDNS's limit). */
const MAX_UPSTREAMS = 15;
const DNS_PORT = 53;

/** Reads TO: IP addresses with or without a port, and files in the form of resolv.conf. */
export function readUpstreams(
  tokens: Dispenser,
  to: readonly string[],
  host: HostView,
): UpstreamOptions[] {
  const upstreams: UpstreamOptions[] = [];
  for (const text of to) {
    for (const upstream of readOne(tokens, text, host)) {
      const known = upstreams.some(({ address, port }) =>
        address === upstream.address && port === upstream.port
      );
      if (!known) upstreams.push(upstream);
    }
  }
  if (upstreams.length > MAX_UPSTREAMS) {
    throw tokens.error(`${upstreams.length} upstreams are too many (at most ${MAX_UPSTREAMS})`);
  }
  return upstreams;
}

function readOne(tokens: Dispenser, text: string, host: HostView): UpstreamOptions[] {
  const scheme = /^([a-z0-9]+):\/\/(.*)$/i.exec(text);
  if (scheme !== null && scheme[1] !== "dns") {
    throw tokens.error(`"${text}": ${scheme[1]}:// upstreams are not supported yet (plain DNS is)`);
  }
  const rest = scheme === null ? text : scheme[2]!;
  const upstream = parseEndpoint(rest);
  if (upstream === "port") {
    throw tokens.error(`"${text}" has no valid port (1 to 65535)`);
  }
  if (upstream !== null) return [upstream];
  if (scheme === null && host.kindOf(rest) === "file") return readResolvConf(tokens, rest, host);
  const why = rest.includes("/") ? "no such file" : "a host name cannot be used here yet";
  throw tokens.error(
    `"${text}" is neither an IP address nor a file: ${why}` +
      " (write 10.0.0.10, 10.0.0.10:1053, [2001:db8::1]:53 or /etc/resolv.conf)",
  );
}

/** An address with or without a port; null where it is none, "port" where only that is wrong. */
function parseEndpoint(text: string): UpstreamOptions | null | "port" {
  const whole = text.replace(/^\[(.*)\]$/, "$1");
  if (isAddress(whole)) return { address: whole, port: DNS_PORT, transport: "dns" };
  const split = /^(?:\[([^\]]+)\]|([^:]+)):(.*)$/.exec(text);
  const address = split?.[1] ?? split?.[2];
  if (split === null || address === undefined || !isAddress(address)) return null;
  const port = split[3]!;
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) return "port";
  return { address, port: Number(port), transport: "dns" };
}

function isAddress(text: string): boolean {
  return parseAddress(text.split("%")[0]!) !== null;
}

function readResolvConf(tokens: Dispenser, path: string, host: HostView): UpstreamOptions[] {
  let text: string;
  try {
    text = host.readTextFile(path);
  } catch (error) {
    throw tokens.error(`Cannot read "${path}": ${(error as Error).message}`);
  }
  const upstreams: UpstreamOptions[] = [];
  for (const line of text.split("\n")) {
    const [word, address] = line.trim().split(/\s+/);
    if (word !== "nameserver" || address === undefined || !isAddress(address)) continue;
    upstreams.push({ address, port: DNS_PORT, transport: "dns" });
  }
  if (upstreams.length === 0) {
    throw tokens.error(
      `"${path}" names no server (it needs a line like "nameserver 10.0.0.10";` +
        " or name the upstream here)",
    );
  }
  return upstreams;
}
