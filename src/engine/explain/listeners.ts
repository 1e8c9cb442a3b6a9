import { isOpen } from "../../config/align.ts";
import type { Config, ListenerConfig } from "../../config/types.ts";
import { Address, parseAddress } from "../../dns/address.ts";
import { serverLabel } from "../served.ts";
import type { ExplainRequest } from "./types.ts";

/** `169.254.20.10:53`, `[::1]:53`; `:53` for all addresses. */
export function listenerText({ address, port }: ListenerConfig): string {
  return serverLabel(address, port).replace("dns://", "");
}

/** Possible listeners, best first: the named one, or those of the client's family. */
export function candidates(
  { listeners }: Config,
  { listener: named, client }: ExplainRequest,
): number[] {
  const open = listeners.flatMap((listener, index) => isOpen(listener) ? [index] : []);
  if (named !== null) {
    const at = (address: string) =>
      open.filter((index) =>
        listeners[index]!.address === address && listeners[index]!.port === named.port
      );
    const exact = at(named.address);
    return exact.length > 0 ? exact : at("");
  }
  const fits = (index: number) => {
    const { address } = listeners[index]!;
    return client === null || address === "" || address.includes(":") === client.includes(":");
  };
  return [...open.filter(fits), ...open.filter((index) => !fits(index))];
}

/** A query's two ends; this host's by default. */
export function endsOf(
  { address, port }: ListenerConfig,
  { client, listener }: ExplainRequest,
): { client: Address; local: Address } {
  const own = address || listener?.address ||
    (client?.includes(":") === true ? "::1" : "127.0.0.1");
  const here = own.includes(":") ? "::1" : "127.0.0.1";
  return { client: toAddress(client ?? here, 0), local: toAddress(own, port) };
}

function toAddress(text: string, port: number): Address {
  const address = new Address();
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null) throw new TypeError(`Cannot use "${text}" as an IP address`);
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  address.unmap();
  return address;
}
