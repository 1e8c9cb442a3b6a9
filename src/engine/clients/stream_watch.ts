import type { Timer, Timers } from "../timers.ts";
import type { Delivery } from "./delivery.ts";
import type { CloseReason, StreamLimits } from "./stream_limits.ts";

/**
 * Times for draining a stream when the process stops; together less than the six seconds that a data
 * plane has. A stream is retired after `quietMs` of silence, so that most likely no query crosses the
 * FIN; after `busyMs` if it has brought no query yet. If its client asks all the time, it is retired
 * behind the first answer after `busyMs`, when most likely no query is on its way; after `lastMs` in
 * any case. Then the client has `finMs` to close its side and receive its answers.
 */
const DRAIN = { quietMs: 100, busyMs: 1000, lastMs: 3000, finMs: 2000 } as const;

/** Interval of checks whether a client that sent its last query has received its answers. */
const LAST_CHECK_MS = 20;

/**
 * States of a stream:
 * - `open`: queries are read and answered.
 * - `draining`: the same, but the process stops: `retired` soon.
 * - `ended`: the client sends no more, or may not. Closed once it has received its last answers.
 * - `retired`: queries are no longer read, but the client may send some. Once those that were read are
 *   answered, this side is closed.
 * - `finished`: this side is closed; the client has to close the other.
 * - `closed`: by either side.
 */
export type Phase = "open" | "draining" | "ended" | "retired" | "finished" | "closed";

/** A stream as its watch sees it. */
export interface Watched {
  readonly phase: Phase;
  readonly delivery: Delivery;
  /** A whole query has arrived. */
  readonly hasAsked: boolean;
  /** A whole query is not answered yet. */
  readonly busy: boolean;
  /** A query is not answered yet, or not whole. */
  readonly underWay: boolean;
  /** When the client last asked or was answered. */
  readonly activeMs: number;
  /** Counts its memory; returns whether it is still open. */
  measure(): boolean;
  /** Stops reading queries; those read are still answered. */
  stopReading(): void;
  update(): void;
  /** Closes it; without a reason, the client or the configuration ended it. */
  close(reason: CloseReason | null): void;
}

/** Closes a stream whose client receives too slowly or is idle for too long. Has one timer. */
export class StreamWatch {
  readonly #stream: Watched;
  readonly #limits: StreamLimits;
  readonly #clock: { readonly nowMs: number; readonly timers: Timers };
  readonly #timer: Timer;
  /** When the process started to stop, or Infinity. */
  #drainingMs = Infinity;

  constructor(
    stream: Watched,
    limits: StreamLimits,
    clock: { readonly nowMs: number; readonly timers: Timers },
  ) {
    this.#stream = stream;
    this.#limits = limits;
    this.#clock = clock;
    // The timer is not moved for every query: it checks the last activity when it fires.
    this.#timer = clock.timers.create((nowMs) => this.#check(nowMs));
    this.#wakeAt(clock.nowMs + limits.readMs);
  }

  /** Starts the idle timeout. */
  watchIdle(): void {
    const { phase, delivery } = this.#stream;
    if (phase === "draining" || phase === "finished") return;
    delivery.stop();
    this.#wakeAt(this.#clock.nowMs + this.#limits.idleMs);
  }

  /** Starts the write timeout. */
  watchRate(): void {
    if (this.#stream.phase !== "draining") this.#startRate(this.#limits.writeMs);
  }

  /** As `watchRate`; also closes the stream as soon as everything is delivered. */
  watchLast(): void {
    this.#startRate(LAST_CHECK_MS);
  }

  /** As `watchRate`; also closes the stream if everything is delivered after a while. */
  watchFinished(): void {
    this.#startRate(DRAIN.finMs);
  }

  /** Starts draining: the process stops. */
  drain(): void {
    if (this.#drainingMs !== Infinity) return;
    this.#drainingMs = this.#clock.nowMs;
    if (this.#stream.phase === "draining") this.#stream.delivery.stop();
    this.#wakeAt(this.#drainingMs + DRAIN.quietMs);
  }

  /** Even a busy stream should be retired behind its next answer. */
  get overdue(): boolean {
    return this.#clock.nowMs >= this.#drainingMs + DRAIN.busyMs;
  }

  /** Stops the timer. */
  stop(): void {
    this.#clock.timers.clear(this.#timer);
  }

  #startRate(checkMs: number): void {
    const { nowMs } = this.#clock;
    // Counting its memory may close it.
    if (!this.#stream.measure()) return;
    this.#stream.delivery.start(nowMs);
    this.#wakeAt(nowMs + checkMs);
  }

  #wakeAt(dueMs: number): void {
    this.#clock.timers.set(this.#timer, Math.min(dueMs, this.#lastMs));
  }

  /** When a draining stream is closed unconditionally, or Infinity. */
  get #lastMs(): number {
    return this.#drainingMs + DRAIN.lastMs + DRAIN.finMs;
  }

  #check(nowMs: number): void {
    const stream = this.#stream;
    if (!stream.measure()) return;
    if (nowMs >= this.#lastMs) stream.close(stream.delivery.hasBacklog ? "slow" : null);
    else if (stream.phase === "draining") this.#checkDraining(nowMs);
    else if (stream.delivery.measuring) this.#checkRate(nowMs);
    else this.#checkIdle(nowMs);
  }

  #checkDraining(nowMs: number): void {
    const stream = this.#stream;
    // A new connection is about to bring a query.
    const quietMs = stream.hasAsked ? DRAIN.quietMs : DRAIN.busyMs;
    const busy = stream.underWay || stream.delivery.queued > 0 ||
      nowMs < stream.activeMs + quietMs;
    this.#wakeAt(nowMs + DRAIN.quietMs);
    if (!busy || nowMs >= this.#drainingMs + DRAIN.lastMs) stream.stopReading();
  }

  #checkRate(nowMs: number): void {
    const { phase, delivery } = this.#stream;
    const { writeMs } = this.#limits;
    if (phase === "finished" && !delivery.hasBacklog) {
      this.#stream.close(null);
    } else if (delivery.isSlow(nowMs, writeMs)) {
      this.#stream.close("slow");
    } else if (phase === "finished") {
      this.#wakeAt(Math.min(nowMs + DRAIN.finMs, delivery.nextMs(writeMs)));
    } else if (delivery.queued > 0) {
      this.#wakeAt(delivery.nextMs(writeMs));
    } else if (phase === "open") {
      this.watchIdle();
    } else {
      this.#wakeAt(Math.min(nowMs + LAST_CHECK_MS, delivery.nextMs(writeMs)));
      this.#stream.update();
    }
  }

  #checkIdle(nowMs: number): void {
    const { activeMs, busy, hasAsked } = this.#stream;
    const dueMs = activeMs + (hasAsked ? this.#limits.idleMs : this.#limits.readMs);
    if (nowMs < dueMs || busy) this.#wakeAt(Math.max(dueMs, nowMs + 100));
    else this.#stream.close("idle");
  }
}
