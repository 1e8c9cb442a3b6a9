import type { BufferPool } from "./buffer_pool.ts";
import type { StreamHandler } from "./io.ts";
import type { Memory } from "./memory.ts";
import type { Timers } from "./timers.ts";

/** Engine services for drivers. */
export interface Traffic {
  /** Monotonic; set once a batch, here or by `advance`. */
  nowMs: number;
  readonly timers: Timers;
  readonly values: Float64Array;
  readonly buffers: BufferPool;
  /** Of `runTimers`, or Infinity. */
  readonly nextDeadlineMs: number;
  readonly waiting: number;
  readonly openStreams: number;

  advance(nowMs: number): void;
  /** Also reads from streams in turn. */
  runTimers(): void;
  /**
   * Handles a UDP query in a receive slot. Returns the response's length, 0 for none yet;
   * `outOffset` is a multiple of eight with room for 4096 + 7 bytes.
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
  /** Waiting queries are answered. */
  retireStreams(listeners: ReadonlySet<number>): void;
  /** As they fall silent or time out. */
  drainStreams(): void;
}
