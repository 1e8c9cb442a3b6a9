import type { CloseReason, StreamLimits } from "./stream_limits.ts";
import type { Timer, Timers } from "../timers.ts";
import type { Phase } from "./phase.ts";
import type { Uptake } from "./uptake.ts";

/**
 * Times of a stream while the process stops; together less than the six seconds that a data plane has.
 * A stream is retired after `quietMs` of silence, so that most likely no query crosses the FIN; one
 * that has brought no query yet after `busyMs`. One whose client asks all the time is retired behind
 * an answer once `busyMs` have passed, since it is then that the client has sent nothing else yet.
 * After `lastMs` any is retired. A client has `finMs` to close its side, and to take its answers where
 * the process stops.
 */
const DRAIN = { quietMs: 100, busyMs: 1000, lastMs: 3000, finMs: 2000 } as const;

/** Pause between two looks at whether a client that has sent its last query has taken its answers. */
const LAST_LOOK_MS = 20;

/** What is watched of a stream. */
export interface Watched {
  readonly phase: Phase;
  readonly uptake: Uptake;
  /** A query has come, whole. */
  readonly hasAsked: boolean;
  /** A query that came whole is not answered yet. */
  readonly busy: boolean;
  /** A query is not answered yet, or not whole. */
  readonly underWay: boolean;
  /** When the client has last asked or been answered. */
  readonly activeMs: number;
  /** Counts what it holds. Returns whether it is still open. */
  measure(): boolean;
  /** Reads no more queries; those that were read are still answered. */
  stopReading(): void;
  update(): void;
  /** Closes it; without a reason, the client or the configuration ended it. */
  close(reason: CloseReason | null): void;
}

/** Closes a stream whose client takes too little or asks nothing for too long. Has one timer. */
export class StreamWatch {
  readonly #stream: Watched;
  readonly #limits: StreamLimits;
  readonly #clock: { readonly nowMs: number; readonly timers: Timers };
  readonly #timer: Timer;
  /** Since when the process stops; Infinity before. */
  #drainingMs = Infinity;

  constructor(
    stream: Watched,
    limits: StreamLimits,
    clock: { readonly nowMs: number; readonly timers: Timers },
  ) {
    this.#stream = stream;
    this.#limits = limits;
    this.#clock = clock;
    // The timer is not moved for every query: it looks at the last activity when it fires.
    this.#timer = clock.timers.create((nowMs) => this.#check(nowMs));
    this.#wakeAt(clock.nowMs + limits.readMs);
  }

  /** Gives the client the idle time from now on. */
  watchIdle(): void {
    const { phase, uptake } = this.#stream;
    if (phase === "draining" || phase === "finished") return;
    uptake.stop();
    this.#wakeAt(this.#clock.nowMs + this.#limits.idleMs);
  }

  /** Judges from now on how fast the client takes what waits for it. */
  watchRate(): void {
    if (this.#stream.phase !== "draining") this.#startRate(this.#limits.writeMs);
  }

  /** As `watchRate`, and closes the stream as soon as the client has taken everything. */
  watchLast(): void {
    this.#startRate(LAST_LOOK_MS);
  }

  /** As `watchRate`, and closes the stream after a while if the client has taken everything. */
  watchFinished(): void {
    this.#startRate(DRAIN.finMs);
  }

  /** The process stops. */
  drain(): void {
    if (this.#drainingMs !== Infinity) return;
    this.#drainingMs = this.#clock.nowMs;
    if (this.#stream.phase === "draining") this.#stream.uptake.stop();
    this.#wakeAt(this.#drainingMs + DRAIN.quietMs);
  }

  /** While the process stops: it is time to go for who asks all the time, behind an answer. */
  get overdue(): boolean {
    return this.#clock.nowMs >= this.#drainingMs + DRAIN.busyMs;
  }

  /** Watches no more. */
  stop(): void {
    this.#clock.timers.clear(this.#timer);
  }

  #startRate(lookMs: number): void {
    const { nowMs } = this.#clock;
    // Counting its memory may close it.
    if (!this.#stream.measure()) return;
    this.#stream.uptake.start(nowMs);
    this.#wakeAt(nowMs + lookMs);
  }

  /** Sets the timer. Where the process stops, it fires when the stream's time is up at the latest. */
  #wakeAt(dueMs: number): void {
    this.#clock.timers.set(this.#timer, Math.min(dueMs, this.#lastMs));
  }

  /** When the stream is closed whatever its client does; Infinity unless the process stops. */
  get #lastMs(): number {
    return this.#drainingMs + DRAIN.lastMs + DRAIN.finMs;
  }

  #check(nowMs: number): void {
    const stream = this.#stream;
    if (!stream.measure()) return;
    if (nowMs >= this.#lastMs) stream.close(stream.uptake.holdsMuch ? "slow" : null);
    else if (stream.phase === "draining") this.#checkDraining(nowMs);
    else if (stream.uptake.measuring) this.#checkRate(nowMs);
    else this.#checkIdle(nowMs);
  }

  #checkDraining(nowMs: number): void {
    const stream = this.#stream;
    // Whoever has just connected is about to ask.
    const quietMs = stream.hasAsked ? DRAIN.quietMs : DRAIN.busyMs;
    const busy = stream.underWay || stream.uptake.queued > 0 || nowMs < stream.activeMs + quietMs;
    this.#wakeAt(nowMs + DRAIN.quietMs);
    if (!busy || nowMs >= this.#drainingMs + DRAIN.lastMs) stream.stopReading();
  }

  #checkRate(nowMs: number): void {
    const { phase, uptake } = this.#stream;
    const { writeMs } = this.#limits;
    if (phase === "finished" && !uptake.holdsMuch) {
      this.#stream.close(null);
    } else if (uptake.isSlow(nowMs, writeMs)) {
      this.#stream.close("slow");
    } else if (phase === "finished") {
      this.#wakeAt(Math.min(nowMs + DRAIN.finMs, uptake.nextMs(writeMs)));
    } else if (uptake.queued > 0) {
      this.#wakeAt(uptake.nextMs(writeMs));
    } else if (phase === "open") {
      this.watchIdle();
    } else {
      this.#wakeAt(Math.min(nowMs + LAST_LOOK_MS, uptake.nextMs(writeMs)));
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
