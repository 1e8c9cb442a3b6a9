import type { Endpoint } from "../../engine/io.ts";
import type { TransportFailure } from "./outgoing.ts";

/** How the connections to one server are kept. */
export interface ConnectionsOptions {
  endpoint: Endpoint;
  /** Most connections in use. */
  max: number;
  /** Most connections that are being set up. */
  maxHandshakes: number;
  /** Most idle connections; 0 for no limit. */
  maxIdle: number;
  /** Idle connections are closed after this time. */
  idleMs: number;
  /** Connections take no new query once they are this old; 0 for no limit. */
  maxAgeMs: number;
  /** Within this time nearly all replies come, in milliseconds. */
  patienceMs: () => number;
  /** Counts a query that found a connection, or needed a new one. */
  count: (found: boolean) => void;
  mismatched: () => void;
}

/** Failure of a query whose server takes no more bytes. */
export const UNREAD: TransportFailure = { kind: "broken", why: "the server does not read" };
/** Failure of a query that finds too many waiting already. */
export const CROWDED: TransportFailure = {
  kind: "exhausted",
  why: "too many queries wait to connect",
};
/** Failure of a query whose connection is fine, but what carries it to the network is too busy. */
export const BUSY: TransportFailure = {
  kind: "exhausted",
  why: "too much is under way to upstreams over TLS",
};
/** Failure of a query without any connection. */
export const CANNOT_CONNECT: TransportFailure = { kind: "refused", why: "cannot connect" };
