import type { Address } from "../dns/address.ts";
import type { Memory } from "./memory.ts";

/** Address and transport of an upstream. */
export interface Endpoint {
  readonly address: Address;
  /** Interface of a link-local address, or empty. */
  readonly scope: string;
  /** Without port; null for the kernel's choice. */
  readonly source: Address | null;
  readonly tls: TlsEndpoint | null;
}

/** TLS parameters (RFC 7858, RFC 8484); plain data, sent between threads. */
export interface TlsEndpoint {
  /** Empty for the IP address. */
  readonly serverName: string;
  /** PEM files; null for no client certificate and the system's authorities. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  /** DNS over HTTPS method; null for DNS over TLS. Both carry TCP frames. */
  readonly http: "GET" | "POST" | null;
}

/** The engine's end of a byte stream. */
export interface StreamHandler {
  /** Not called for accepted streams. */
  connected?(): void;
  /** The bytes are valid only during the call. */
  data(memory: Memory, offset: number, length: number): void;
  /** The peer has sent FIN, but may still read. */
  ended(): void;
  /** Always the last call. `why` is for operators: "connection refused". */
  closed(why?: string): void;
  /** The queue is empty. */
  drained?(): void;
}

/** Ports or descriptors are exhausted until a socket is released. */
export const NO_SOCKET = -2;

/** The engine's end of a datagram socket to an upstream. */
export interface DatagramHandler {
  /** A datagram at offset 0 of `memory`, which has room for tables behind it. */
  reply(memory: Memory, length: number): void;
  /** ICMP refusal or socket error. */
  failed(): void;
}

/** Interface that drivers implement. Calls never block or throw; negative results are failures. */
export interface Io {
  /** Keeps a datagram's return address until `reply` or `forget`. */
  keep(slot: number): number;
  /** Sends a response and releases the address. */
  reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  forget(returnAddress: number): void;

  connect(endpoint: Endpoint, handler: StreamHandler): number;
  /** Sends bytes, or queues them. */
  write(stream: number, memory: Memory, offset: number, length: number): void;
  /** False if the carrier, not the peer, is busy. Absent if there always is room. */
  hasRoom?(stream: number, length: number): boolean;
  queued(stream: number): number;
  /** Bytes queued. */
  queueSize(stream: number): number;
  /** Unacknowledged bytes in the kernel; 0 if unknown. */
  inKernel(stream: number): number;
  pause(stream: number, paused: boolean): void;
  /**
   * Closes after the queue, or at once if `abrupt`, discarding the kernel's bytes if possible. Does
   * not call `closed`.
   */
  close(stream: number, abrupt?: boolean): void;
  /**
   * Sends FIN after the queue. Callbacks continue until the peer's FIN or `close`: a reset would
   * lose answers the peer has not read.
   */
  finish(stream: number): void;

  /** Opens a connected socket on a random port; may return `NO_SOCKET`. */
  open(endpoint: Endpoint, handler: DatagramHandler): number;
  /** Returns false on failure. */
  send(socket: number, memory: Memory, offset: number, length: number): boolean;
  release(socket: number): void;

  family(of: "slot" | "kept" | "stream", reference: number): 4 | 6;
  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void;

  /**
   * Monotonic nanoseconds as wrapping signed 32-bit numbers (which V8 does not allocate), for
   * durations within a batch. Costs about 50 ns. Absent in virtual time.
   */
  nanoseconds?(): number;
}
