import { Address, parseAddress } from "../dns/address.ts";
import type { ListenerConfig } from "./types.ts";

interface Destination {
  host: string;
  scope: string | undefined;
}

/** Local listeners; as in the kernel, exact addresses precede wildcards. */
export function listenersAt(
  listeners: readonly ListenerConfig[],
  { address, port }: { address: string; port: number },
  interfaces: () => readonly string[],
): ListenerConfig[] {
  const samePort = listeners.filter((listener) => listener.port === port);
  if (samePort.length === 0) return [];
  const wanted = destination(address);
  const exact = samePort.filter((one) => one.address !== "" && same(parse(one.address), wanted));
  if (exact.length > 0) return exact;
  const wildcard = wanted.host.includes(":") ? "::" : "0.0.0.0";
  const all = samePort.filter((one) => one.address === "" || one.address === wildcard);
  if (all.length === 0) return [];
  const isLoopback = wanted.host.startsWith("127.") || wanted.host === "::1";
  return isLoopback || interfaces().some((own) => same(parse(own), wanted)) ? all : [];
}

/** Linux delivers packets for the unspecified address locally. */
function destination(text: string): Destination {
  const found = parse(text);
  if (found.host === "0.0.0.0") return { ...found, host: "127.0.0.1" };
  return found.host === "::" ? { ...found, host: "::1" } : found;
}

function parse(text: string): Destination {
  const [host, scope] = text.split("%") as [string, string?];
  const bytes = parseAddress(host);
  if (bytes === null) return { host, scope };
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.unmap();
  return { host: address.hostname(), scope };
}

/** fe80::1 is common, so known scopes must agree. */
function same(one: Destination, other: Destination): boolean {
  if (one.host !== other.host) return false;
  return one.scope === undefined || other.scope === undefined || one.scope === other.scope;
}
