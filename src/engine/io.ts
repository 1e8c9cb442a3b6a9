import type { Address } from "../dns/address.ts";
import type { Memory } from "./memory.ts";

/** Address of an upstream, and how to reach it. */
export interface Endpoint {
  readonly address: Address;
  /** Interface of a link-local IPv6 address, by name or number; else empty. */
  readonly scope: string;
  /** Address to send from, or null for the kernel's choice. Its port is not used. */
  readonly source: Address | null;
  /** Encryption of streams, or null. Plain data: it is sent between threads. */
  readonly tls: TlsEndpoint | null;
}

/** Parameters of a stream over TLS (RFC 7858, RFC 8484). Files are read by the control plane. */
export interface TlsEndpoint {
  /** Name that the certificate must have; empty for the IP address. */
  readonly serverName: string;
  /** PEM files; null for no client certificate, and for the system's authorities. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  /** Method of DNS over HTTPS; null for DNS over TLS. The stream carries frames as TCP in both. */
  readonly http: "GET" | "POST" | null;
}

/** The engine's end of a byte stream. The driver calls it with `nowMs` already set. */
export interface StreamHandler {
  /** An outgoing stream is connected. Not called for accepted ones. */
  connected?(): void;
  /** Bytes arrived. They are valid only during the call. */
  data(memory: Memory, offset: number, length: number): void;
  /** The peer will send no more, but may still read. */
  ended(): void;
  /**
   * The stream is closed by the peer, broken, or could not be connected. Always the last call.
   *
   * @param why - for the operator ("connection refused", "certificate has expired"), if known
   */
  closed(why?: string): void;
  /** What had been queued for a slow reader was sent. */
  drained?(): void;
}

/** `Io.open` has run out of ports or descriptors until another socket is released. */
export const NO_SOCKET = -2;

/** The engine's end of a datagram socket to an upstream. */
export interface DatagramHandler {
  /** A datagram arrived, at offset 0 of `memory`, which has room for tables behind it. */
  reply(memory: Memory, length: number): void;
  /** The upstream's host refused (ICMP) or the socket failed. */
  failed(): void;
}

/**
 * The outside world as drivers implement it. Calls never block and never throw; results below zero
 * are failures.
 */
export interface Io {
  /** Keeps the return address of the datagram in a receive slot until `reply` or `forget`. */
  keep(slot: number): number;
  /** Sends a response to a kept return address and releases it. */
  reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  /** Releases a kept return address. */
  forget(returnAddress: number): void;

  /** Opens a stream to an upstream. */
  connect(endpoint: Endpoint, handler: StreamHandler): number;
  /** Sends bytes, or queues what the peer does not accept at once. */
  write(stream: number, memory: Memory, offset: number, length: number): void;
  /**
   * Whether a stream has room for so many bytes now. If not, its carrier is busy, which says nothing
   * about the peer. Undefined if every stream always has room.
   */
  hasRoom?(stream: number, length: number): boolean;
  /** Bytes queued for a slow reader. */
  queued(stream: number): number;
  /** Memory in bytes of that queue. */
  queueSize(stream: number): number;
  /** Sent bytes in the kernel that the peer has not acknowledged; 0 if the driver cannot tell. */
  inKernel(stream: number): number;
  /** Stops or resumes reading. */
  pause(stream: number, paused: boolean): void;
  /**
   * Closes the stream once its queue has been sent. If `abrupt`, closes at once and discards what the
   * kernel has, if the driver can. `closed` is not called any more.
   */
  close(stream: number, abrupt?: boolean): void;
  /**
   * Ends sending (FIN) once the queue has been sent. The handler is called until the peer ends too or
   * `close` is called: otherwise a peer that still sends would get a reset and lose unread answers.
   */
  finish(stream: number): void;

  /**
   * Opens a datagram socket on a fresh, random port, connected to the upstream. `NO_SOCKET` if none
   * is free, another number below zero if the upstream cannot be reached.
   */
  open(endpoint: Endpoint, handler: DatagramHandler): number;
  /** Sends one datagram; false if it could not be sent. */
  send(socket: number, memory: Memory, offset: number, length: number): boolean;
  /** Releases the socket; its handler is not called any more. */
  release(socket: number): void;

  /** Family of the client's address. */
  family(of: "slot" | "kept" | "stream", reference: number): 4 | 6;
  /** Reads the client's address, or the address that it asked (local). */
  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void;

  /**
   * Monotonic nanoseconds as a signed 32-bit number that wraps around (V8 stores it without an
   * object), for durations of up to four seconds within a batch. A read costs some 50 ns. Undefined
   * if time is virtual.
   */
  nanoseconds?(): number;
}
