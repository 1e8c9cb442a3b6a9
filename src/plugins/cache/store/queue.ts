import { NEXT, PREVIOUS } from "./row.ts";

/** Rows in the order in which they came, linked through two of their words. */
export class Queue {
  oldest = -1;
  newest = -1;
  size = 0;

  /** Puts a row at the end. */
  push(rows: Int32Array, row: number): void {
    rows[row + NEXT] = -1;
    rows[row + PREVIOUS] = this.newest;
    if (this.newest >= 0) rows[this.newest + NEXT] = row;
    else this.oldest = row;
    this.newest = row;
    this.size++;
  }

  /** Takes a row out, wherever it is. */
  take(rows: Int32Array, row: number): void {
    const next = rows[row + NEXT]!;
    const previous = rows[row + PREVIOUS]!;
    if (next >= 0) rows[next + PREVIOUS] = previous;
    else this.newest = previous;
    if (previous >= 0) rows[previous + NEXT] = next;
    else this.oldest = next;
    this.size--;
  }
}
