import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type {
  KernelAnswers,
  KernelHits,
  KernelPublisher,
} from "../../../engine/kernel/kernel_hits.ts";
import { STRIDE } from "../store/row.ts";
import type { RowWatch, Store } from "../store/store.ts";

const FIRST_ROWS = 1024;

/** A store's published entries; each has a slot for each listener that is asked for it. */
export class PublishedRows implements RowWatch, KernelPublisher {
  readonly store: Store;
  readonly answered: (row: number, answers: KernelAnswers) => void;
  readonly #hits: KernelHits;
  /** By row: number of the first slot plus one; others follow in `hits.next`. */
  #first = new Int32Array(FIRST_ROWS);

  constructor(store: Store, hits: KernelHits, events: Pick<KernelPublisher, "answered">) {
    this.store = store;
    this.#hits = hits;
    this.answered = events.answered;
  }

  has(row: number, listener: number): boolean {
    const { next } = this.#hits;
    for (let at = this.#firstOf(row); at > 0; at = next[at - 1]!) {
      if (this.#hits.isFor(at - 1, listener)) return true;
    }
    return false;
  }

  /** Publishes `hits.answer`, if there is room. */
  add(row: number, exchange: Exchange): void {
    const index = this.#hits.publish(this, row, exchange);
    if (index < 0) return;
    const number = row / STRIDE;
    while (number >= this.#first.length) {
      const longer = new Int32Array(2 * this.#first.length);
      longer.set(this.#first);
      this.#first = longer;
    }
    this.#hits.next[index] = this.#first[number]!;
    this.#first[number] = index + 1;
  }

  removed(row: number): void {
    // `withdrawn` shortens the list.
    for (let at = this.#firstOf(row); at > 0; at = this.#firstOf(row)) this.#hits.withdraw(at - 1);
  }

  examined(row: number): void {
    const { next } = this.#hits;
    for (let at = this.#firstOf(row); at > 0; at = next[at - 1]!) this.#hits.read(at - 1);
  }

  withdrawn(row: number, index: number): void {
    const { next } = this.#hits;
    const number = row / STRIDE;
    if (this.#firstOf(row) === index + 1) {
      this.#first[number] = next[index]!;
      return;
    }
    for (let at = this.#firstOf(row); at > 0; at = next[at - 1]!) {
      if (next[at - 1] === index + 1) next[at - 1] = next[index]!;
    }
  }

  #firstOf(row: number): number {
    const number = row / STRIDE;
    return number < this.#first.length ? this.#first[number]! : 0;
  }
}
