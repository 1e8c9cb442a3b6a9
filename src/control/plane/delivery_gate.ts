import type { DataPlane } from "./data_plane.ts";
import { releaseBuffer } from "../../base/transfer.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { deliveriesForEach, handedOver } from "./messages.ts";

/**
 * What those who follow files and names hand to the data planes goes through here: a place in one
 * configuration is another one in the next, so nothing may come once they have begun to change over.
 */
export class DeliveryGate {
  readonly #planes: readonly Pick<DataPlane, "deliver">[];
  /** What waits until it is known whether the configuration stays; null while it is served. */
  #held: Delivery[] | null = null;

  constructor(planes: readonly Pick<DataPlane, "deliver">[]) {
    this.#planes = planes;
  }

  /** Hands it to all data planes, or keeps it while it is not known whether they know the place. */
  deliver(block: number, position: number, data: unknown): void {
    if (this.#held !== null) {
      this.#held.push({ block, position, data });
      return;
    }
    const each = deliveriesForEach([{ block, position, data }], this.#planes.length);
    this.#planes.forEach((plane, i) => plane.deliver(block, position, each[i]![0]!.data));
  }

  /** The data planes change over: keeps what comes. */
  hold(): void {
    this.#held ??= [];
  }

  /** They have not changed over: hands on what came meanwhile. */
  open(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const { block, position, data } of held) this.deliver(block, position, data);
  }

  /** They have changed over: nothing that came meanwhile has a place any more. */
  drop(): void {
    handedOver(this.#held ?? []).forEach(releaseBuffer);
    this.#held = [];
  }
}
