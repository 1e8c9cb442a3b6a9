import type { Address } from "../../dns/address.ts";
import type { LogFields } from "../../engine/handler.ts";

/** Name of the probe with this nonce, in presentation format. */
export function nameOf(nonce: Uint32Array, zone: string): string {
  const digits = [...nonce].map((word) => word.toString(16).padStart(8, "0")).join("");
  return `${digits.slice(0, 16)}.${digits.slice(16)}.${zone === "." ? "" : zone}`;
}

/**
 * What the log says of a loop: its beginning is CoreDNS's, so that what looks for that finds it.
 *
 * `between` holds where the probe came from and what address it came to; null if that is not
 * known. `others`: the block has upstreams that lead into no loop.
 */
export function describeLoop({ zone, upstream, others, between, qname }: {
  zone: string;
  upstream: string;
  others: boolean;
  between: { client: Address; local: Address } | null;
  qname: string;
}): { line: string; fields: LogFields } {
  const client = between === null ? "" : textOf(between.client);
  const local = between === null ? "" : textOf(between.local);
  const where = between === null ? "" : ` (${client} -> ${local})`;
  const follows = others
    ? "Until that ends, the other upstreams are asked. "
    : "Queries for it get SERVFAIL until that ends. ";
  const line = `Loop${where} detected for zone "${zone}": what is forwarded to ${upstream} comes ` +
    `back here. ${follows}Let forward, or the resolv.conf that it ` +
    "reads, name no address of this server and no server that asks this one (127.0.0.53 is " +
    "systemd-resolved: use /run/systemd/resolve/resolv.conf instead). " +
    `Query: "HINFO ${qname}"`;
  return { line, fields: { zone, client, local, upstream, qname } };
}

function textOf(address: Address): string {
  const host = address.hostname();
  return address.family === 6 ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}
