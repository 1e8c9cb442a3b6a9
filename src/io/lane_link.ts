/** What a data plane and the thread that speaks TLS share: two rings and a way to wake each other. */
import type { TlsEndpoint } from "../engine/io.ts";
import { ringMemory } from "./ring.ts";

/** Octets of commands that may be under way: thousands of queries. */
const COMMAND_BYTES = 256 * 1024;
/**
 * Octets of what has come back that may be under way. More does not make it faster, as the data plane
 * takes a part of it each turn; all else waits in the other thread, or is not read from the network.
 */
const EVENT_BYTES = 256 * 1024;

/** Kinds of records that go to the thread. */
export const COMMAND = {
  /** The payload is a `LaneEndpoint` as JSON. */
  OPEN: 1,
  WRITE: 2,
  CLOSE: 3,
  /** Closes a stream whose peer breaks the rules: it is not to be connected to for a while. */
  SHUN: 4,
} as const;

/** Kinds of records that come back. */
export const EVENT = {
  CONNECTED: 1,
  DATA: 2,
  /** The payload is a u32: so many octets more have left for the peer. */
  SENT: 3,
  /** The payload says why, in UTF-8. It is the stream's last. */
  CLOSED: 4,
} as const;

/** Where a stream of the lane leads, in a form that can be sent between threads. */
export interface LaneEndpoint {
  /** IP address, with the scope of a link-local one (`fe80::1%eth0`). */
  readonly address: string;
  readonly port: number;
  /** Address to send from, or null. */
  readonly source: string | null;
  readonly tls: TlsEndpoint;
}

/** One end of a lane, as it is sent to its thread. */
export interface LaneLink {
  readonly commands: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  /**
   * Any message on it wakes the other end. A data plane that waits in epoll is woken by an eventfd
   * instead, which belongs to the data plane as long as it lives.
   */
  readonly port: MessagePort;
}

/** Makes the two ends of a lane. */
export function makeLink(): { plane: LaneLink; thread: LaneLink } {
  const { port1, port2 } = new MessageChannel();
  const rings = { commands: ringMemory(COMMAND_BYTES), events: ringMemory(EVENT_BYTES) };
  return { plane: { ...rings, port: port1 }, thread: { ...rings, port: port2 } };
}
