import type { Cancel, Clock } from "../../base/clock.ts";

/** Time between two views. */
const EVERY_MS = 1000;
/** Pages that may be open; each costs a connection and some kilobytes a second. */
export const MAX_VIEWERS = 8;
/** For the browser: pause until it connects again. */
const RETRY_MS = 1000;

/** An event of a stream (HTML Living Standard, server-sent events). */
export interface StreamEvent {
  name: string;
  /** One line of JSON. */
  data: string;
}

/** What all viewers are shown. */
export interface Shown {
  /** Sent each second. */
  view: StreamEvent;
  /** Sent first, and when it has changed. */
  seldom: StreamEvent | null;
}

/** Viewers of one stream. What they see is made once for all, and only while somebody watches. */
export class Viewers {
  readonly #make: () => Promise<Shown>;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  /** What wakes each viewer. */
  readonly #waiting = new Map<symbol, () => void>();
  #shown: Shown | null = null;
  #madeMs = -Infinity;
  #round = 0;
  #making = false;
  #cancel: Cancel = () => {};

  constructor({ make, clock, onFailure }: {
    make: () => Promise<Shown>;
    clock: Clock;
    onFailure: (error: unknown) => void;
  }) {
    this.#make = make;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /**
   * Stream for a viewer until `gone`; null if there are too many. Slow viewers miss views. Must be
   * read, or `gone` must come.
   */
  join(gone: AbortSignal): AsyncIterable<string> | null {
    if (this.#waiting.size >= MAX_VIEWERS || gone.aborted) return null;
    const viewer = Symbol();
    this.#waiting.set(viewer, () => {});
    gone.addEventListener("abort", () => this.#leave(viewer), { once: true });
    if (this.#waiting.size === 1) this.#begin();
    return this.#stream(viewer);
  }

  #begin(): void {
    this.#cancel = this.#clock.every(EVERY_MS, () => void this.#next());
    // Coming and going in a row must not cost more than staying.
    if (this.#clock.now() - this.#madeMs < EVERY_MS) return;
    this.#shown = null;
    void this.#next();
  }

  async *#stream(viewer: symbol): AsyncGenerator<string> {
    let seen = 0;
    let seldom: string | undefined;
    try {
      yield `retry: ${RETRY_MS}\n\n`;
      for (;;) {
        if (this.#round === seen || this.#shown === null) {
          await new Promise<void>((resolve) => {
            if (this.#waiting.has(viewer)) this.#waiting.set(viewer, resolve);
            else resolve();
          });
        }
        if (!this.#waiting.has(viewer)) return;
        seen = this.#round;
        const { view, seldom: now } = this.#shown!;
        yield encode(view);
        if (now !== null && now.data !== seldom) yield encode(now);
        seldom = now?.data;
      }
    } finally {
      this.#leave(viewer);
    }
  }

  #leave(viewer: symbol): void {
    const wake = this.#waiting.get(viewer);
    if (wake === undefined) return;
    this.#waiting.delete(viewer);
    wake();
    if (this.#waiting.size === 0) this.#cancel();
  }

  async #next(): Promise<void> {
    // A data plane that hangs may answer later than the next second.
    if (this.#making) return;
    this.#making = true;
    this.#madeMs = this.#clock.now();
    try {
      this.#shown = await this.#make();
      this.#round++;
      for (const wake of this.#waiting.values()) wake();
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#making = false;
    }
  }
}

function encode({ name, data }: StreamEvent): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}
