import type { LogLevel } from "../../engine/handler.ts";
import type { LaneLink } from "../../io/lane_link.ts";
import { TLS_CLOSE_REASONS, type TlsCloseReason } from "./tls/context.ts";

/** Memory limits of the TLS thread, in bytes: what all streams hold, and uncollected garbage. */
export interface TlsMemory {
  budgetBytes: number;
  garbageBytes: number;
}

/** What carries a data plane's encrypted streams; without a link they fail with `why`. */
export interface LaneState {
  link: LaneLink | null;
  why: string;
}

/** What the TLS thread starts with. */
export interface TlsThreadData {
  stats: SharedArrayBuffer;
  memory: TlsMemory;
}

/** From the control plane to the TLS thread. */
export type TlsThreadCommand =
  /** Serves a data plane; `wakeFd` is its eventfd, or negative if its port wakes it. */
  | { type: "join"; id: number; link: LaneLink; wakeFd: number }
  | { type: "leave"; id: number }
  | { type: "memory"; memory: TlsMemory }
  | { type: "fail"; how: "throw" | "hang" | "exhaust" };

/** From the TLS thread to the control plane. */
export type TlsThreadReport =
  | { type: "left"; id: number }
  | { type: "log"; level: LogLevel; line: string };

/** Indexes of the TLS thread's figures in shared memory; it alone writes them. */
export const TLS_STAT = {
  BEAT: 0,
  STREAMS: 1,
  HELD_BYTES: 2,
  HEAP_BYTES: 3,
  ERRORS: 4,
  LIMIT_BYTES: 5,
  CLOSED: 6,
} as const;

/** Memory for the figures, as doubles. */
export function tlsStatsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * (TLS_STAT.CLOSED + TLS_CLOSE_REASONS.length));
}

/** Index of the number of streams closed for a reason. */
export function closedPlace(reason: TlsCloseReason): number {
  return TLS_STAT.CLOSED + TLS_CLOSE_REASONS.indexOf(reason);
}
