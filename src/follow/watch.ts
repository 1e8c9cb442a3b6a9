import { type Clock, systemClock } from "../base/clock.ts";

/** Options of a `Watch`. */
export interface WatchOptions {
  /** Called once when the source becomes unusable. */
  onProblem: (why: string) => void;
  /** Called when it is usable again. */
  onRecovery?: () => void;
  /** The caller has already reported that it is unusable. */
  troubled?: boolean;
  clock?: Clock;
}

/** Looks at something outside nodens again and again. */
export abstract class Watch {
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  #troubled: boolean;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#troubled = options.troubled ?? false;
  }

  /** Ends what is under way; resolves once it has ended. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  /** Aborts when the watch is stopped. */
  protected get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Begins to look, after `delayMs`. */
  protected lookAfter(delayMs: number): void {
    this.#running = this.#repeat(delayMs);
  }

  /** Looks once; returns the milliseconds until the next time. */
  protected abstract look(): Promise<number>;

  /** Reports a new problem, or with null that there is none. */
  protected report(problem: string | null): void {
    const { onProblem, onRecovery } = this.#options;
    if (problem !== null && !this.#troubled) onProblem(problem);
    if (problem === null && this.#troubled) onRecovery?.();
    this.#troubled = problem !== null;
  }

  async #repeat(delayMs: number): Promise<void> {
    for (let nextMs = delayMs; !this.stopped.aborted; nextMs = await this.look()) {
      if (nextMs > 0) await this.#pause(nextMs);
      if (this.stopped.aborted) return;
    }
  }

  #pause(ms: number): Promise<void> {
    const { clock = systemClock } = this.#options;
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.stopped.removeEventListener("abort", end);
        resolve();
      };
      const cancel = clock.after(ms, end);
      this.stopped.addEventListener("abort", end);
    });
  }
}
