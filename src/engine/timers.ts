/** A deadline with its callback. */
export interface Timer {
  dueMs: number;
  /** -1 while stopped. */
  index: number;
  readonly fire: (nowMs: number) => void;
}

/** Monotonic milliseconds, in a binary heap. */
export class Timers {
  readonly #heap: Timer[] = [];

  create(fire: (nowMs: number) => void): Timer {
    return { dueMs: 0, index: -1, fire };
  }

  set(timer: Timer, dueMs: number): void {
    timer.dueMs = dueMs;
    if (timer.index < 0) {
      timer.index = this.#heap.length;
      this.#heap.push(timer);
    }
    this.#down(this.#up(timer.index));
  }

  clear(timer: Timer): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#heap[at] = last;
    last.index = at;
    this.#down(this.#up(at));
  }

  get size(): number {
    return this.#heap.length;
  }

  get nextMs(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0]!.dueMs;
  }

  /** Timers set meanwhile wait for the next call. */
  run(nowMs: number): void {
    let budget = this.#heap.length;
    while (budget-- > 0 && this.#heap.length > 0 && this.#heap[0]!.dueMs <= nowMs) {
      const timer = this.#heap[0]!;
      this.clear(timer);
      timer.fire(nowMs);
    }
  }

  #up(start: number): number {
    const heap = this.#heap;
    const timer = heap[start]!;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent]!;
      if (other.dueMs <= timer.dueMs) break;
      this.#put(other, at);
      at = parent;
    }
    this.#put(timer, at);
    return at;
  }

  #down(start: number): void {
    const heap = this.#heap;
    const timer = heap[start]!;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      const other = heap[child]!;
      if (other.dueMs >= timer.dueMs) break;
      this.#put(other, at);
      at = child;
    }
    this.#put(timer, at);
  }

  #put(timer: Timer, at: number): void {
    this.#heap[at] = timer;
    timer.index = at;
  }
}
