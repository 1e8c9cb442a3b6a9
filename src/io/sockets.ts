/**
 * Sockets of listeners as the control plane holds them and a driver serves them. The types are plain
 * data that belongs to no operating system: they are sent between threads.
 */
import type { ListenerConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";

/** An address and port to listen on. */
export interface ListenTarget {
  /** IP address, or "" for all of both families. */
  address: string;
  port: number;
}

/** One socket that a listener needs. */
export interface ListenPlace {
  kind: "udp" | "tcp";
  target: Address;
  wildcard: boolean;
}

/** A bound socket that a data plane serves. File descriptors are the process's own, not a thread's. */
export interface BoundSocket {
  fd: number;
  kind: "udp" | "tcp";
  /** Index of the listener in the configuration. */
  listener: number;
  port: number;
  family: 4 | 6;
  /** Bound to all addresses: replies must name the one that was asked. */
  wildcard: boolean;
  /** Set for a socket that was handed over: others hold it too, so it is never turned away. */
  inherited?: {
    /** An IPv6 socket that takes IPv4 in as well. */
    dual: boolean;
  };
}

/** A socket for queries that another process has opened. */
export interface InheritedSocket {
  readonly fd: number;
  /** Name that the socket unit gives it; "" without one. */
  readonly name: string;
  readonly kind: "udp" | "tcp";
  readonly family: 4 | 6;
  readonly address: Address;
  readonly wildcard: boolean;
  /** IPv6 on all addresses that takes IPv4 in as well. */
  readonly dual: boolean;
  /** Others may be bound to the same address (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

/** Sockets that the process was started with. */
export interface InheritedSource {
  /** Those of a listener for data plane number `plane`. */
  of(listener: ListenerConfig, plane: number): InheritedSocket[];
  /** Whether there are any of this port. */
  hasPort(port: number): boolean;
}

/** An address that something is bound to. */
export type BoundPlace = Pick<ListenPlace, "kind" | "target">;

/** An address that others are bound to as well. */
export interface Neighbour extends BoundPlace {
  /** How many sockets of theirs accept queries there. */
  readonly count: number;
}
