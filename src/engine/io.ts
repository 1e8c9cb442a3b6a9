import type { Address } from "../dns/address.ts";
import type { Memory } from "./memory.ts";

/** Address of an upstream, and how to reach it. */
export interface Endpoint {
  readonly address: Address;
  /** Interface of a link-local address, by name or number; else empty. */
  readonly scope: string;
  /** Address to send from, without port; null for the kernel's choice. */
  readonly source: Address | null;
  readonly tls: TlsEndpoint | null;
}

/** TLS parameters (RFC 7858, RFC 8484). Plain data: it is sent between threads. */
export interface TlsEndpoint {
  /** Empty for the IP address. */
  readonly serverName: string;
  /** PEM files; null for no client certificate and for the system's authorities. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  /** Method of DNS over HTTPS; null for DNS over TLS. Both carry frames as TCP. */
  readonly http: "GET" | "POST" | null;
}

/** The engine's end of a byte stream. */
export interface StreamHandler {
  /** Not called for accepted streams. */
  connected?(): void;
  /** The bytes are valid only during the call. */
  data(memory: Memory, offset: number, length: number): void;
  /** The peer sends no more, but may still read. */
  ended(): void;
  /** Always the last call. `why` is for the operator: "connection refused". */
  closed(why?: string): void;
  /** The queue was sent. */
  drained?(): void;
}

/** `Io.open` has run out of ports or descriptors until another socket is released. */
export const NO_SOCKET = -2;

/** The engine's end of a datagram socket to an upstream. */
export interface DatagramHandler {
  /** A datagram is at offset 0 of `memory`, which has room for tables behind it. */
  reply(memory: Memory, length: number): void;
  /** ICMP refusal or socket error. */
  failed(): void;
}

/** The outside world; drivers implement it. Calls never block or throw; below zero is a failure. */
export interface Io {
  /** Keeps the return address of the datagram in a receive slot until `reply` or `forget`. */
  keep(slot: number): number;
  /** Sends a response and releases the address. */
  reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  forget(returnAddress: number): void;

  connect(endpoint: Endpoint, handler: StreamHandler): number;
  /** Sends bytes, or queues what the peer does not accept at once. */
  write(stream: number, memory: Memory, offset: number, length: number): void;
  /** False if the stream's carrier, not its peer, is busy. Undefined if there always is room. */
  hasRoom?(stream: number, length: number): boolean;
  queued(stream: number): number;
  /** Memory of the queue. */
  queueSize(stream: number): number;
  /** Unacknowledged bytes in the kernel; 0 if unknown. */
  inKernel(stream: number): number;
  pause(stream: number, paused: boolean): void;
  /**
   * Closes the stream once its queue has been sent, or at once if `abrupt`, then discarding what the
   * kernel has if possible. `closed` is not called.
   */
  close(stream: number, abrupt?: boolean): void;
  /**
   * Sends FIN after the queue. The handler is called until the peer ends too or `close` is called: a
   * reset would cost a peer that still sends its unread answers.
   */
  finish(stream: number): void;

  /** Opens a socket on a random port, connected to the upstream; may return `NO_SOCKET`. */
  open(endpoint: Endpoint, handler: DatagramHandler): number;
  /** False if the datagram could not be sent. */
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
   * Monotonic nanoseconds, wrapping around at 32 bits with sign (V8 stores that without an object),
   * for durations within a batch. A read costs some 50 ns. Undefined if time is virtual.
   */
  nanoseconds?(): number;
}
