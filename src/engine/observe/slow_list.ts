import type { Response } from "../response/response.ts";
import type { SightingLine } from "./requests.ts";
import type { Sighting } from "./sighting.ts";
import { SightingTable } from "./sighting_table.ts";

/** More than a screen shows. */
export const SLOW_ENTRIES = 32;

/** Longest waits, a question once. */
export class SlowList {
  readonly #table = new SightingTable(SLOW_ENTRIES);
  #size = 0;

  get sizeBytes(): number {
    return this.#table.sizeBytes;
  }

  get size(): number {
    return this.#size;
  }

  offer(sighting: Sighting, response: Response | null, timeMs: number): void {
    if (sighting.waitedMs <= this.leastMs) return;
    const { name, nameLength, qtype } = sighting;
    const row = this.#place(
      sighting.waitedMs,
      (row) => this.#table.asks(row, name, nameLength, qtype),
    );
    if (row >= 0) this.#table.put(row, sighting, response, timeMs);
  }

  merge(from: SlowList): void {
    for (let i = 0; i < from.#size; i++) {
      const isEqual = (row: number) => this.#table.asksLike(row, from.#table, i);
      const row = this.#place(from.#table.waitedMs(i), isEqual);
      if (row >= 0) this.#table.copy(row, from.#table, i);
    }
  }

  clear(): void {
    this.#size = 0;
  }

  lines(): SightingLine[] {
    return Array.from({ length: this.#size }, (_, row) => this.#table.line(row));
  }

  get leastMs(): number {
    return this.#size < SLOW_ENTRIES ? 0 : this.#table.waitedMs(this.#shortest());
  }

  /** Row for such a wait, or -1. */
  #place(waitedMs: number, isEqual: (row: number) => boolean): number {
    for (let row = 0; row < this.#size; row++) {
      if (isEqual(row)) return waitedMs > this.#table.waitedMs(row) ? row : -1;
    }
    if (this.#size < SLOW_ENTRIES) return this.#size++;
    const row = this.#shortest();
    return waitedMs > this.#table.waitedMs(row) ? row : -1;
  }

  #shortest(): number {
    let found = 0;
    for (let row = 1; row < this.#size; row++) {
      if (this.#table.waitedMs(row) < this.#table.waitedMs(found)) found = row;
    }
    return found;
  }
}
