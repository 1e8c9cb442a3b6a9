import type { Delivery } from "../../plugins/companion.ts";

/** The last delivery to each handler, which a thread that replaces a dead one gets again. */
export class Deliveries {
  readonly #byHandler = new Map<string, Delivery>();

  /** Remembers a delivery in place of the one before. */
  add(delivery: Delivery): void {
    this.#byHandler.set(`${delivery.block} ${delivery.position}`, delivery);
  }

  /** Replaces all of them. */
  replace(deliveries: readonly Delivery[]): void {
    this.#byHandler.clear();
    for (const delivery of deliveries) this.add(delivery);
  }

  get all(): Delivery[] {
    return [...this.#byHandler.values()];
  }

  /** Forgets buffers, which have been handed over to a thread. */
  dropBuffers(): void {
    for (const [key, { data }] of this.#byHandler) {
      if (data instanceof ArrayBuffer) this.#byHandler.delete(key);
    }
  }
}
