import type { StreamHandler } from "./io.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { Memory } from "./memory.ts";
import type { Timers } from "./timers.ts";

/** The engine as a driver sees it: what arrives goes in here, and the clock is set here. */
export interface Traffic {
  /** Monotonic milliseconds. The driver sets it once a batch, here or by `advance`. */
  nowMs: number;
  readonly timers: Timers;
  /** Shared values of the counters. */
  readonly values: Float64Array;
  /** Buffers for what came of a stream and is not whole yet. */
  readonly buffers: BufferPool;
  /** When `runTimers` has work next, in monotonic milliseconds, or Infinity. */
  readonly nextDeadlineMs: number;
  /** Queries that wait for an upstream. */
  readonly waiting: number;
  /** Open streams of clients. */
  readonly openStreams: number;

  /** Sets the clock, in monotonic milliseconds. */
  advance(nowMs: number): void;
  /** Runs the timers that are due, and gives streams that wait for it their turn. */
  runTimers(): void;
  /**
   * Handles one UDP query and, if it can be answered at once, writes the response.
   *
   * @param slot - the driver's number of the receive slot
   * @param outOffset - a multiple of eight, with room for 4096 bytes and seven more behind
   * @returns length of the response, or 0 if there is none (yet)
   */
  datagram(
    listener: number,
    slot: number,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number;
  /** Accepts a client's stream; null if there are too many. */
  accept(listener: number, stream: number): StreamHandler | null;
  /** Reads no more queries from the streams of these listeners; those that wait are answered. */
  retireStreams(listeners: ReadonlySet<number>): void;
  /** Closes all clients' streams, each when its client is silent for a moment, or after a while. */
  drainStreams(): void;
}
