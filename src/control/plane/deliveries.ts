import { copyBuffer, releaseBuffer } from "../../base/transfer.ts";
import type { Delivery } from "../../plugins/companion.ts";

/** Transferable buffers of deliveries. */
export function buffersOf(deliveries: readonly Delivery[]): ArrayBuffer[] {
  return deliveries.flatMap(({ data }) => data instanceof ArrayBuffer ? [data] : []);
}

/** For `count` data planes: the last gets the buffers. */
export function deliveriesForEach(deliveries: readonly Delivery[], count: number): Delivery[][] {
  return Array.from({ length: count }, (_, plane) =>
    deliveries.map((delivery) => {
      const { data } = delivery;
      const copied = data instanceof ArrayBuffer && plane < count - 1;
      return copied ? { ...delivery, data: copyBuffer(data) } : delivery;
    }));
}

/** Identifies a handler. */
export function handlerKey({ block, position }: Omit<Delivery, "data">): string {
  return `${block} ${position}`;
}

/** Queues deliveries during a change, as handler positions differ. */
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

  shut(): void {
    this.#queue ??= [];
  }

  open(): void {
    const queue = this.#queue ?? [];
    this.#queue = null;
    for (const delivery of queue) this.deliver(delivery);
  }

  /** Stays shut. */
  drop(): void {
    buffersOf(this.#queue ?? []).forEach(releaseBuffer);
    this.#queue = [];
  }
}
