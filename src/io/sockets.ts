/** Sockets of listeners, as plain data that threads exchange; independent of the operating system. */
import type { ListenerConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";

/** An address and port to listen on. */
export interface ListenTarget {
  /** IP address, or "" for all of both families. */
  address: string;
  port: number;
}

/** An address that a socket is bound to. */
export interface BoundPlace {
  kind: "udp" | "tcp";
  target: Address;
}

/** A socket that a listener needs. */
export interface ListenAddress extends BoundPlace {
  wildcard: boolean;
}

/** An address that other processes are bound to as well. */
export interface Neighbour extends BoundPlace {
  readonly count: number;
}

/** A bound socket that a data plane serves. File descriptors belong to the process, not to a thread. */
export interface BoundSocket {
  fd: number;
  kind: "udp" | "tcp";
  listener: number;
  port: number;
  family: 4 | 6;
  wildcard: boolean;
  /** Set for a socket that was handed over: others have it too, so it is never turned away. */
  inherited?: {
    /** An IPv6 socket that accepts IPv4 as well. */
    dual: boolean;
  };
}

/** A socket for queries that another process opened. */
export interface InheritedSocket {
  readonly fd: number;
  readonly name: string;
  readonly kind: "udp" | "tcp";
  readonly family: 4 | 6;
  readonly address: Address;
  readonly wildcard: boolean;
  readonly dual: boolean;
  readonly reusePort: boolean;
}

/** Sockets that the process was started with. */
export interface InheritedSource {
  /** Those of a listener for data plane number `plane`. */
  of(listener: ListenerConfig, plane: number): InheritedSocket[];
  hasPort(port: number): boolean;
}
