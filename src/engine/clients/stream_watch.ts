import type { EngineServices } from "../handler.ts";
import type { Timer } from "../timers.ts";
import { type CloseReason, MIN_RATE, type StreamLimits, UNCOUNTED_BYTES } from "./stream_limits.ts";

/**
 * Draining at stop, within six seconds. A stream is retired after `quietMs` of silence (`busyMs`
 * before its first query), so that queries do not cross the FIN; after `busyMs` behind the next
 * answer; after `lastMs` always. The client has `finMs` to close.
 */
export const DRAIN = { quietMs: 100, busyMs: 1000, lastMs: 3000, finMs: 2000 } as const;

/** Interval of checks after a client's last query. */
export const LAST_CHECK_MS = 20;

/**
 * `ended`: no more input, closed after delivery. `retired`: reads no more, sends FIN after the last
 * answer. `finished`: FIN sent.
 */
export type Phase = "open" | "draining" | "ended" | "retired" | "finished" | "closed";

/** A stream, as seen by its watch. */
export interface Watched {
  readonly id: number;
  readonly phase: Phase;
  readonly hasAsked: boolean;
  readonly busy: boolean;
  /** A query is unanswered or incomplete. */
  readonly underWay: boolean;
  readonly activeMs: number;
  /** False if closed. */
  measure(): boolean;
  stopReading(): void;
  update(): void;
  /** Null: not a fault. */
  close(reason: CloseReason | null): void;
}

/** Closes streams of slow or idle clients. */
export class StreamWatch {
  measuring = false;

  readonly #stream: Watched;
  readonly #limits: StreamLimits;
  readonly #engine: EngineServices;
  readonly #timer: Timer;
  #drainingMs = Infinity;
  #sent = 0;
  #received = 0;
  #sinceMs = 0;
  #receivedThen = 0;

  constructor(stream: Watched, limits: StreamLimits, engine: EngineServices) {
    this.#stream = stream;
    this.#limits = limits;
    this.#engine = engine;
    // Not restarted per query.
    this.#timer = engine.timers.create((nowMs) => this.#check(nowMs));
    this.#wakeAt(engine.nowMs + limits.readMs);
  }

  get queued(): number {
    return this.#engine.io.queued(this.#stream.id);
  }

  /** Bytes are queued, or the kernel may have more than `UNCOUNTED_BYTES`. */
  get mayHaveBacklog(): boolean {
    return this.queued > 0 || this.#sent - this.#received > UNCOUNTED_BYTES;
  }

  get hasBacklog(): boolean {
    return this.queued > 0 ||
      this.mayHaveBacklog && this.#engine.io.inKernel(this.#stream.id) > UNCOUNTED_BYTES;
  }

  get overdue(): boolean {
    return this.#engine.nowMs >= this.#drainingMs + DRAIN.busyMs;
  }

  send(length: number): void {
    this.#sent += length;
  }

  /** Returns undelivered bytes in the kernel. */
  measure(): number {
    const inKernel = this.#engine.io.inKernel(this.#stream.id);
    this.#received = this.#sent - this.queued - inKernel;
    return inKernel;
  }

  watchIdle(): void {
    const { phase } = this.#stream;
    if (phase === "draining" || phase === "finished") return;
    this.measuring = false;
    this.#wakeAt(this.#engine.nowMs + this.#limits.idleMs);
  }

  /** Also closes ended and finished streams. */
  watchRate(checkMs = this.#limits.writeMs): void {
    const { nowMs } = this.#engine;
    // Counting its memory may close it.
    if (this.#stream.phase === "draining" || !this.#stream.measure()) return;
    this.#startMeasuring(nowMs);
    this.#wakeAt(nowMs + checkMs);
  }

  drain(): void {
    if (this.#drainingMs !== Infinity) return;
    this.#drainingMs = this.#engine.nowMs;
    if (this.#stream.phase === "draining") this.measuring = false;
    this.#wakeAt(this.#drainingMs + DRAIN.quietMs);
  }

  stop(): void {
    this.#engine.timers.clear(this.#timer);
  }

  #startMeasuring(nowMs: number): void {
    this.measuring = true;
    this.#sinceMs = nowMs;
    this.#receivedThen = this.#received;
  }

  #wakeAt(dueMs: number): void {
    this.#engine.timers.set(this.#timer, Math.min(dueMs, this.#lastMs));
  }

  get #lastMs(): number {
    return this.#drainingMs + DRAIN.lastMs + DRAIN.finMs;
  }

  #check(nowMs: number): void {
    const stream = this.#stream;
    if (!stream.measure()) return;
    if (nowMs >= this.#lastMs) stream.close(this.hasBacklog ? "slow" : null);
    else if (stream.phase === "draining") this.#checkDraining(nowMs);
    else if (this.measuring) this.#checkRate(nowMs);
    else this.#checkIdle(nowMs);
  }

  #checkDraining(nowMs: number): void {
    const stream = this.#stream;
    // A new connection soon brings a query.
    const quietMs = stream.hasAsked ? DRAIN.quietMs : DRAIN.busyMs;
    const busy = stream.underWay || this.queued > 0 || nowMs < stream.activeMs + quietMs;
    this.#wakeAt(nowMs + DRAIN.quietMs);
    if (!busy || nowMs >= this.#drainingMs + DRAIN.lastMs) stream.stopReading();
  }

  #checkRate(nowMs: number): void {
    const { phase } = this.#stream;
    if (phase === "finished" && !this.hasBacklog) return this.#stream.close(null);
    const { writeMs } = this.#limits;
    if (nowMs >= this.#sinceMs + writeMs) {
      const received = this.#received - this.#receivedThen;
      this.#startMeasuring(nowMs);
      if (received < MIN_RATE * writeMs / 1000) return this.#stream.close("slow");
    }
    const dueMs = this.#sinceMs + writeMs;
    if (phase === "finished") {
      this.#wakeAt(Math.min(nowMs + DRAIN.finMs, dueMs));
    } else if (this.queued > 0) {
      this.#wakeAt(dueMs);
    } else if (phase === "open") {
      this.watchIdle();
    } else {
      this.#wakeAt(Math.min(nowMs + LAST_CHECK_MS, dueMs));
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
