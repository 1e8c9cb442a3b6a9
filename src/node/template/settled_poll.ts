import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";

/** Interval between two reads. */
const POLL_MS = 2000;
/** A change counts once it has lasted this long: writers need a while. */
const SETTLE_MS = 200;

export interface SettledPollOptions<T> {
  read: () => Promise<T>;
  onChange: (found: T) => Promise<void>;
  clock?: Clock | undefined;
}

/**
 * Polls a value, and reports changes that last for two reads. There are no notifications for a symbolic
 * link that is swapped further up the path, as kubelet does with the volumes of config maps.
 */
export class SettledPoll<T> {
  readonly #options: SettledPollOptions<T>;
  readonly #clock: Clock;
  #known = "";
  #pending: string | null = null;
  #stopped = false;
  #cancel: Cancel = () => {};
  #busy: Promise<void> = Promise.resolve();

  constructor(options: SettledPollOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Reads once, without a call of `onChange`. */
  async first(): Promise<T> {
    const found = await this.#options.read();
    this.#known = JSON.stringify(found);
    return found;
  }

  start(): void {
    this.#after(POLL_MS);
  }

  /** Stops polling; resolves when nothing is in progress. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#busy;
  }

  async #poll(): Promise<void> {
    const found = await this.#options.read();
    if (this.#stopped) return;
    const text = JSON.stringify(found);
    const isNew = text !== this.#known && text !== this.#pending;
    if (text === this.#pending) {
      this.#known = text;
      await this.#options.onChange(found);
    }
    this.#pending = isNew ? text : null;
    this.#after(isNew ? SETTLE_MS : POLL_MS);
  }

  #after(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel = this.#clock.after(delayMs, () => this.#busy = this.#poll());
  }
}
