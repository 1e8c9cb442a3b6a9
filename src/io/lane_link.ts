/** Two rings and wake-ups. */
import type { TlsEndpoint } from "../engine/io.ts";
import { ringMemory } from "./ring.ts";

/** Thousands of queries; more is not faster. */
const RING_BYTES = 256 * 1024;

/** Records to the TLS thread. */
export const COMMAND = {
  /** A `LaneEndpoint` as JSON. */
  OPEN: 1,
  WRITE: 2,
  CLOSE: 3,
  /** Avoids a peer that broke the protocol. */
  SHUN: 4,
} as const;

/** Records to the data plane. */
export const EVENT = {
  CONNECTED: 1,
  DATA: 2,
  /** A u32 of octets. */
  SENT: 3,
  /** The reason in UTF-8. Last record. */
  CLOSED: 4,
} as const;

/** A stream's peer, as sent between threads. */
export interface LaneEndpoint {
  readonly address: string;
  readonly port: number;
  readonly source: string | null;
  readonly tls: TlsEndpoint;
}

/** One end of a lane, as sent to its thread. */
export interface LaneLink {
  readonly commands: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  /** Messages wake the other end; epoll uses an eventfd. */
  readonly port: MessagePort;
}

/** Creates the two ends of a lane. */
export function makeLink(): { plane: LaneLink; thread: LaneLink } {
  const { port1, port2 } = new MessageChannel();
  const rings = { commands: ringMemory(RING_BYTES), events: ringMemory(RING_BYTES) };
  return { plane: { ...rings, port: port1 }, thread: { ...rings, port: port2 } };
}
