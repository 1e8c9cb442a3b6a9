import type { Address } from "../dns/address.ts";
import type { Memory } from "./memory.ts";

/** Address and transport of an upstream. */
export interface Endpoint {
  readonly address: Address;
  /** For link-local addresses. */
  readonly scope: string;
  /** Without port; null for the kernel's choice. */
  readonly source: Address | null;
  readonly tls: TlsEndpoint | null;
}

/** TLS parameters (RFC 7858, RFC 8484). */
export interface TlsEndpoint {
  /** Empty for the IP address. */
  readonly serverName: string;
  /** PEM files; null for the system's authorities and no client certificate. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  /** Null for DNS over TLS. Both carry TCP frames. */
  readonly http: "GET" | "POST" | null;
}

/** Engine's end of a byte stream. */
export interface StreamHandler {
  /** Not called for accepted streams. */
  connected?(): void;
  /** Valid during the call. */
  data(memory: Memory, offset: number, length: number): void;
  /** FIN; the peer may still read. */
  ended(): void;
  /** The last call. `why` is for operators: "connection refused". */
  closed(why?: string): void;
  /** The queue is empty. */
  drained?(): void;
}

/** Ports or descriptors are exhausted. */
export const NO_SOCKET = -2;

/** Engine's end of a datagram socket. */
export interface DatagramHandler {
  /** At offset 0, with room for tables behind. */
  reply(memory: Memory, length: number): void;
  /** ICMP or socket error. */
  failed(): void;
}

/** Meaning of a client's number: receive slot, return address or stream. */
export type ClientKind = "slot" | "kept" | "stream";
/** An end of a client's flow. */
export type Side = "client" | "local";

/** Implemented by drivers. Calls never block or throw; negative results are failures. */
export interface Io {
  /** Keeps a return address until `reply` or `forget`. */
  keep(slot: number): number;
  /** Releases the address. */
  reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  forget(returnAddress: number): void;

  connect(endpoint: Endpoint, handler: StreamHandler): number;
  /** Sends bytes, or queues them. */
  write(stream: number, memory: Memory, offset: number, length: number): void;
  /** False if the carrier, not the peer, is busy. Absent: always room. */
  hasRoom?(stream: number, length: number): boolean;
  queued(stream: number): number;
  queueSize(stream: number): number;
  /** Unacknowledged bytes; 0 if unknown. */
  inKernel(stream: number): number;
  pause(stream: number, paused: boolean): void;
  /** Closes after the queue, or at once if `abrupt`. `closed` is not called. */
  close(stream: number, abrupt?: boolean): void;
  /** Sends FIN after the queue; a reset would lose unread answers. */
  finish(stream: number): void;

  /** Opens a connected socket on a random port; may return `NO_SOCKET`. */
  open(endpoint: Endpoint, handler: DatagramHandler): number;
  /** False on failure. */
  send(socket: number, memory: Memory, offset: number, length: number): boolean;
  release(socket: number): void;

  family(of: ClientKind, reference: number): 4 | 6;
  address(of: ClientKind, reference: number, side: Side, target: Address): void;

  /**
   * Monotonic, as wrapping signed 32-bit numbers (V8 does not allocate them). Costs about 50 ns.
   * Absent in virtual time.
   */
  nanoseconds?(): number;

  /** The engine's clock, read now. Absent in virtual time. */
  milliseconds?(): number;
}
