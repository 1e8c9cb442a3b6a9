import { copyBuffer, releaseBuffer } from "../../base/transfer.ts";
import type { Delivery } from "../../plugins/companion.ts";

/** The buffers that deliveries transfer to another thread. */
export function buffersOf(deliveries: readonly Delivery[]): ArrayBuffer[] {
  return deliveries.flatMap(({ data }) => data instanceof ArrayBuffer ? [data] : []);
}

/** The deliveries for each of `count` data planes: the last gets the buffers, the others copies. */
export function deliveriesForEach(deliveries: readonly Delivery[], count: number): Delivery[][] {
  return Array.from({ length: count }, (_, plane) =>
    deliveries.map((delivery) => {
      const { data } = delivery;
      const copied = data instanceof ArrayBuffer && plane < count - 1;
      return copied ? { ...delivery, data: copyBuffer(data) } : delivery;
    }));
}

/** The key of the handler that gets a delivery. */
export function handlerKey({ block, position }: Delivery): string {
  return `${block} ${position}`;
}

/**
 * Passes deliveries of one configuration to the data planes. Positions of handlers differ between
 * configurations, so nothing may pass during a change.
 */
export class DeliveryGate {
  readonly #planes: readonly { deliver(delivery: Delivery): void }[];
  #queue: Delivery[] | null = null;

  constructor(planes: readonly { deliver(delivery: Delivery): void }[]) {
    this.#planes = planes;
  }

  deliver(delivery: Delivery): void {
    if (this.#queue !== null) {
      this.#queue.push(delivery);
      return;
    }
    const each = deliveriesForEach([delivery], this.#planes.length);
    this.#planes.forEach((plane, i) => plane.deliver(each[i]![0]!));
  }

  /** Queues deliveries: the data planes are changing over. */
  shut(): void {
    this.#queue ??= [];
  }

  /** The change failed: delivers what is queued. */
  open(): void {
    const queue = this.#queue ?? [];
    this.#queue = null;
    for (const delivery of queue) this.deliver(delivery);
  }

  /** The change succeeded: drops what is queued. The gate stays shut. */
  drop(): void {
    buffersOf(this.#queue ?? []).forEach(releaseBuffer);
    this.#queue = [];
  }
}
