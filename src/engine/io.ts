import type { Address } from "../dns/address.ts";
import type { Memory } from "./memory.ts";

/** Where an upstream listens. */
export interface Endpoint {
  readonly address: Address;
  /** Interface of a link-local IPv6 address, by name or number; else empty. */
  readonly scope: string;
  /** Address to send from, or null for the kernel's choice. Its port is not used. */
  readonly source: Address | null;
  /** Streams to it are encrypted; null for plain DNS. Plain data: it is sent between threads. */
  readonly tls: TlsEndpoint | null;
}

/** What a stream over TLS needs to know (RFC 7858, RFC 8484). Files are read by the control plane. */
export interface TlsEndpoint {
  /** Name that the certificate must carry; empty for the IP address itself. */
  readonly serverName: string;
  /** PEM files; null for no client certificate, and for the system's authorities. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  /** Method of DNS over HTTPS; null for DNS over TLS. Either way the stream carries frames as TCP does. */
  readonly http: "GET" | "POST" | null;
}

/** What the engine does with a byte stream; the driver calls these, `nowMs` is already set. */
export interface StreamHandler {
  /** An outgoing stream is connected. Not called for accepted ones. */
  connected?(): void;
  /** Bytes came. They are good during the call only. */
  data(memory: Memory, offset: number, length: number): void;
  /** The peer will send no more, but may still read. */
  ended(): void;
  /**
   * The stream is gone: closed by the peer, broken, or not connected at all. Always the last call.
   *
   * @param why - what the operator should know ("connection refused", "certificate has expired"),
   * where that is known
   */
  closed(why?: string): void;
  /** What had been queued for a slow reader has left. */
  drained?(): void;
}

/** `Io.open` has no port or descriptor left: there will be one once another socket is released. */
export const NO_SOCKET = -2;

/** What the engine does with a datagram socket towards an upstream. */
export interface DatagramHandler {
  /** A datagram came from the upstream, at offset 0 of `memory`, which has room for tables behind. */
  reply(memory: Memory, length: number): void;
  /** The upstream's host refused (ICMP) or the socket failed. */
  failed(): void;
}

/**
 * The world outside the engine, as a driver offers it. Calls never block and never throw; numbers
 * below zero mean that it could not be done.
 */
export interface Io {
  /** Keeps the return address of the datagram in a receive slot until `reply` or `forget`. */
  keep(slot: number): number;
  /** Sends a response to a kept return address, and lets go of it. */
  reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  /** Lets go of a kept return address without an answer. */
  forget(returnAddress: number): void;

  /** Opens a stream to an upstream. */
  connect(endpoint: Endpoint, handler: StreamHandler): number;
  /** Sends bytes, or queues what the peer does not take at once. */
  write(stream: number, memory: Memory, offset: number, length: number): void;
  /**
   * Whether a stream takes so many bytes now. Where it does not, what carries it is busy, which says
   * nothing of the peer. Not there where every stream takes what it is given.
   */
  hasRoom?(stream: number, length: number): boolean;
  /** Bytes that wait for a slow reader. */
  queued(stream: number): number;
  /** Bytes of memory that those take. */
  queueSize(stream: number): number;
  /** Bytes that the kernel has and the peer has not taken yet; 0 where the driver cannot tell. */
  inKernel(stream: number): number;
  /** Stops or goes on reading. */
  pause(stream: number, paused: boolean): void;
  /**
   * Closes the stream once what is queued has been sent, or at once where `abrupt`: then what the
   * kernel has is discarded as well, if the driver can do that. `closed` is not called any more.
   */
  close(stream: number, abrupt?: boolean): void;
  /**
   * Ends sending (FIN) once what is queued has been sent. The handler is called on, until the peer
   * ends too or `close` is called: a peer that still sends would be answered with a reset otherwise,
   * which takes unread answers from it.
   */
  finish(stream: number): void;

  /**
   * Opens a datagram socket on a fresh, random port, connected to the upstream. `NO_SOCKET` where
   * none is free, another number below zero where the upstream cannot be reached at all.
   */
  open(endpoint: Endpoint, handler: DatagramHandler): number;
  /** Sends one datagram; false when it could not be sent. */
  send(socket: number, memory: Memory, offset: number, length: number): boolean;
  /** Gives the socket back; its handler is not called any more. */
  release(socket: number): void;

  /** Family of the client's address. */
  family(of: "slot" | "kept" | "stream", reference: number): 4 | 6;
  /** The client's or (local) the asked address of a receive slot, kept address or stream. */
  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void;

  /**
   * Nanoseconds of a clock that only goes forward, as a signed 32-bit number that wraps around (V8
   * keeps that without an object), for durations of up to four seconds within a batch. A read costs
   * some 50 ns. Not there where time is virtual.
   */
  nanoseconds?(): number;
}
