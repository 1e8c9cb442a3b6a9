/** Sockets of listeners as plain data for threads. */
import type { ListenerConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";

/** "" for all addresses; port 0 if removed. */
export type ListenTarget = Pick<ListenerConfig, "address" | "port">;

/** Of a bound socket. */
export interface BoundAddress {
  kind: "udp" | "tcp";
  target: Address;
}

/** Shared with other processes. */
export interface Neighbour extends BoundAddress {
  readonly count: number;
}

/** The process owns its descriptor. */
export interface BoundSocket {
  fd: number;
  kind: "udp" | "tcp";
  listener: number;
  family: 4 | 6;
  wildcard: boolean;
  /** Shared: never disconnect them. */
  inherited?: {
    /** Also accepts IPv4. */
    dual: boolean;
  };
}

/** Opened by another process. */
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
