/** How something is looked at, and who is told. */
export interface SettledPollOptions<T> {
  /** From one look to the next. */
  pollMs: number;
  /** A change counts once it has been the same for this long: writers need a while. */
  settleMs: number;
  look: () => Promise<T>;
  /** What was found differs from what was known. The next look waits until it is done. */
  onChange: (found: T) => Promise<void>;
}

/**
 * Looks at something again and again, and tells of changes that last for two looks.
 *
 * It looks instead of being told: notifications do not come for a symbolic link that is swapped
 * further up, as kubelet does with the volumes of config maps.
 */
export class SettledPoll<T> {
  readonly #options: SettledPollOptions<T>;
  /** What was found when it last counted, as JSON. */
  #known = "";
  #pending: string | null = null;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy: Promise<void> = Promise.resolve();

  constructor(options: SettledPollOptions<T>) {
    this.#options = options;
  }

  /** Looks once and takes what is there as known; `onChange` is not told. */
  async first(): Promise<T> {
    const found = await this.#options.look();
    this.#known = JSON.stringify(found);
    return found;
  }

  /** Begins to look. */
  start(): void {
    this.#after(this.#options.pollMs);
  }

  /** Stops looking; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#busy;
  }

  async #look(): Promise<void> {
    const found = await this.#options.look();
    if (this.#stopped) return;
    const print = JSON.stringify(found);
    let next = this.#options.pollMs;
    if (print === this.#known) {
      this.#pending = null;
    } else if (print === this.#pending) {
      this.#pending = null;
      this.#known = print;
      await this.#options.onChange(found);
    } else {
      this.#pending = print;
      next = Math.min(this.#options.settleMs, next);
    }
    this.#after(next);
  }

  #after(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#busy = this.#look(), delayMs);
  }
}
