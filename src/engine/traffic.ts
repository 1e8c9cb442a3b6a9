import type { BufferPool } from "./buffer_pool.ts";
import type { StreamHandler } from "./io.ts";
import type { Memory } from "./memory.ts";
import type { Timers } from "./timers.ts";

/** The engine as drivers see it. */
export interface Traffic {
  /** Monotonic milliseconds. The driver sets it once a batch, here or by `advance`. */
  nowMs: number;
  readonly timers: Timers;
  readonly values: Float64Array;
  readonly buffers: BufferPool;
  /** When `runTimers` has work next, in monotonic milliseconds, or Infinity. */
  readonly nextDeadlineMs: number;
  readonly waiting: number;
  readonly openStreams: number;

  advance(nowMs: number): void;
  /** Runs due timers, and reads the queries of streams that wait for a turn. */
  runTimers(): void;
  /**
   * Handles the UDP query in a receive slot. Returns the length of the response, 0 for none (yet);
   * `outOffset` is a multiple of eight with room for 4096 bytes and seven more.
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
  accept(listener: number, stream: number): StreamHandler | null;
  /** Stops reading the streams of these listeners; queries that wait are answered. */
  retireStreams(listeners: ReadonlySet<number>): void;
  /** Closes all clients' streams, each once its client is silent or its time is up. */
  drainStreams(): void;
}
