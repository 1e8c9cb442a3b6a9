/** Sockets of listeners as plain data for threads. */
import type { ListenerConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";

/** Where a listener listens: an IP address, or "" for all; port 0 if it was removed. */
export type ListenTarget = Pick<ListenerConfig, "address" | "port">;

/** Address of a bound socket. */
export interface BoundAddress {
  kind: "udp" | "tcp";
  target: Address;
}

/** An address shared with other processes. */
export interface Neighbour extends BoundAddress {
  readonly count: number;
}

/** A bound socket of a data plane; the process owns its descriptor. */
export interface BoundSocket {
  fd: number;
  kind: "udp" | "tcp";
  listener: number;
  family: 4 | 6;
  wildcard: boolean;
  /** For handed-over sockets, which others share: never disconnect them. */
  inherited?: {
    /** Also accepts IPv4. */
    dual: boolean;
  };
}

/** A query socket opened by another process. */
export interface InheritedSocket {
  readonly fd: number;
  readonly name: string;
  readonly kind: "udp" | "tcp";
  readonly address: Address;
  readonly dual: boolean;
  readonly reusePort: boolean;
}

/** Sockets inherited at the start. */
export interface InheritedSource {
  of(listener: ListenerConfig, plane: number): InheritedSocket[];
  hasPort(port: number): boolean;
}
