import type { LogLevel } from "../../engine/handler.ts";
import type { LaneLink } from "../../io/lane_link.ts";
import { TLS_CLOSE_REASONS, type TlsCloseReason } from "./tls/context.ts";

/** Limits in bytes: streams, and uncollected garbage. */
export interface TlsMemory {
  budgetBytes: number;
  garbageBytes: number;
}

/** Link to a data plane, or the fault. */
export interface LaneState {
  link: LaneLink | null;
  why: string;
}

/** Start data of the TLS thread. */
export interface TlsThreadData {
  stats: SharedArrayBuffer;
  memory: TlsMemory;
}

/** Message from the control plane to the TLS thread. */
export type TlsThreadCommand =
  /** `wakeFd`: an eventfd, or negative if the port wakes the data plane. */
  | { type: "join"; id: number; link: LaneLink; wakeFd: number }
  | { type: "leave"; id: number }
  | { type: "memory"; memory: TlsMemory }
  | { type: "fail"; how: "throw" | "hang" | "exhaust" };

/** Message from the TLS thread to the control plane. */
export type TlsThreadReport =
  | { type: "left"; id: number }
  | { type: "log"; level: LogLevel; line: string };

/** Indexes of statistics; only the TLS thread writes. */
export const TLS_STAT = {
  BEAT: 0,
  STREAMS: 1,
  HELD_BYTES: 2,
  HEAP_BYTES: 3,
  ERRORS: 4,
  LIMIT_BYTES: 5,
  CLOSED: 6,
} as const;

/** Allocates the statistics. */
export function tlsStatsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * (TLS_STAT.CLOSED + TLS_CLOSE_REASONS.length));
}

/** Index of a close reason. */
export function closedIndex(reason: TlsCloseReason): number {
  return TLS_STAT.CLOSED + TLS_CLOSE_REASONS.indexOf(reason);
}
