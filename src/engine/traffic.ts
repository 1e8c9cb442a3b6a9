import type { BufferPool } from "./buffer_pool.ts";
import type { StreamHandler } from "./io.ts";
import type { Memory } from "./memory.ts";
import type { Timers } from "./timers.ts";

/** The engine as drivers see it. */
export interface Traffic {
  /** Monotonic milliseconds. The driver sets it once a batch, here or by `advance`. */
  nowMs: number;
  readonly timers: Timers;
  /** Shared values of the counters. */
  readonly values: Float64Array;
  /** Buffers for incomplete input of streams. */
  readonly buffers: BufferPool;
  /** When `runTimers` has work next, in monotonic milliseconds, or Infinity. */
  readonly nextDeadlineMs: number;
  /** Queries that wait for an upstream. */
  readonly waiting: number;
  /** Open streams of clients. */
  readonly openStreams: number;

  /** Sets the clock, in monotonic milliseconds. */
  advance(nowMs: number): void;
  /** Runs due timers, and reads the queries of streams that wait for a turn. */
  runTimers(): void;
  /**
   * Handles one UDP query and writes the response, if there is one at once.
   *
   * @param slot - the driver's number of the receive slot
   * @param outOffset - a multiple of eight, with room for 4096 bytes and seven more
   * @returns length of the response, or 0 for none (yet)
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
  /** Stops reading the streams of these listeners; queries that wait are answered. */
  retireStreams(listeners: ReadonlySet<number>): void;
  /** Closes all clients' streams, each once its client is silent or its time is up. */
  drainStreams(): void;
}
