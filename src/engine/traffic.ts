import type { BufferPool } from "./buffer_pool.ts";
import type { StreamHandler } from "./io.ts";
import type { Memory } from "./memory.ts";
import type { Timers } from "./timers.ts";

/** Engine services for drivers. */
export interface Traffic {
  /** Monotonic milliseconds. Set by the driver once a batch, here or by `advance`. */
  nowMs: number;
  readonly timers: Timers;
  readonly values: Float64Array;
  readonly buffers: BufferPool;
  /** Next deadline of `runTimers` in monotonic milliseconds, or Infinity. */
  readonly nextDeadlineMs: number;
  readonly waiting: number;
  readonly openStreams: number;

  advance(nowMs: number): void;
  /** Runs due timers, and reads from streams in turn. */
  runTimers(): void;
  /**
   * Handles the UDP query in a receive slot. Returns the response's length, 0 for none yet;
   * `outOffset` is a multiple of eight with room for 4103 bytes.
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
  /** Stops reading the streams of these listeners; waiting queries are answered. */
  retireStreams(listeners: ReadonlySet<number>): void;
  /** Closes all client streams as they fall silent or time out. */
  drainStreams(): void;
}
