import type { Cancel, Clock } from "../../base/clock.ts";

const EVERY_MS = 1000;
/** Each costs a connection and some kilobytes a second. */
export const MAX_VIEWERS = 8;
/** Browser's pause before reconnecting. */
const RETRY_MS = 1000;

/** Server-sent event (HTML Living Standard). */
export interface StreamEvent {
  name: string;
  /** JSON. */
  data: string;
}

/** Shared by all viewers. */
export interface Shown {
  view: StreamEvent;
  /** Sent first, and after changes. */
  seldom: StreamEvent | null;
}

/** Viewers of one stream; made once for all, only while watched. */
export class Viewers {
  readonly #make: () => Promise<Shown>;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
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

  /** Stream until `gone`, to be read; null if there are too many. Slow viewers miss views. */
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
    // Reconnecting must not cost more than staying.
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
