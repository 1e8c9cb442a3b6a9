import { type Clock, pause, systemClock } from "../base/clock.ts";

/** Options of a `Watch`. */
export interface WatchOptions {
  /** Called once until recovery. */
  onProblem: (why: string) => void;
  onRecovery?: () => void;
  troubled?: boolean;
  clock?: Clock;
}

/** Polls something outside nodens. */
export abstract class Watch {
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  #troubled: boolean;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#troubled = options.troubled ?? false;
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  protected get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  protected pollAfter(delayMs: number): void {
    this.#running = this.#repeat(delayMs);
  }

  /** Returns the time until the next poll in milliseconds. */
  abstract poll(): Promise<number>;

  protected report(problem: string | null): void {
    const { onProblem, onRecovery } = this.#options;
    if (problem !== null && !this.#troubled) onProblem(problem);
    if (problem === null && this.#troubled) onRecovery?.();
    this.#troubled = problem !== null;
  }

  async #repeat(delayMs: number): Promise<void> {
    const { clock = systemClock } = this.#options;
    for (let nextMs = delayMs; !this.stopped.aborted; nextMs = await this.poll()) {
      if (nextMs > 0) await pause(clock, nextMs, this.stopped);
      if (this.stopped.aborted) return;
    }
  }
}
