import type { LogLevel } from "../../engine/handler.ts";
import type { LaneLink } from "../../io/lane_link.ts";

/** Memory that the thread for TLS may take. */
export interface TlsMemory {
  /** Bytes that all streams may hold together. */
  budgetBytes: number;
  /** Bytes that buffers may take as garbage until it is collected. */
  garbageBytes: number;
}

/** What carries the encrypted streams of a data plane; without a link, why they fail. */
export interface LaneState {
  link: LaneLink | null;
  why: string;
}

/** What the thread for TLS is started with. */
export interface TlsThreadData {
  /** `tlsStatsMemory`. */
  stats: SharedArrayBuffer;
  memory: TlsMemory;
}

/** What the thread for TLS is told. */
export type TlsThreadCommand =
  /** Serves a data plane, which an eventfd wakes, or its port where `wakeFd` is below zero. */
  | { type: "join"; id: number; link: LaneLink; wakeFd: number }
  /** Forgets a data plane; is answered with `left`. */
  | { type: "leave"; id: number }
  /** What it may take from now on. */
  | { type: "memory"; memory: TlsMemory }
  /** Makes the thread fail, so that the tests see what happens then. */
  | { type: "fail"; how: "throw" | "hang" | "exhaust" };

/** What the thread for TLS says. */
export type TlsThreadReport =
  /** The eventfd of this data plane is not written to any more. */
  | { type: "left"; id: number }
  | { type: "log"; level: LogLevel; line: string };
