/** Entries of further ones have no upstream. */
const MAX_UPSTREAMS = 1024;

/** Labels of upstreams, by number. */
export class UpstreamLabels {
  /** The first is "": unknown, or not an upstream. */
  readonly list: string[] = [""];
  readonly #numbers = new Map([["", 0]]);

  numberOf(label: string): number {
    const known = this.#numbers.get(label);
    if (known !== undefined) return known;
    if (this.list.length >= MAX_UPSTREAMS) return 0;
    const number = this.list.push(label) - 1;
    this.#numbers.set(label, number);
    return number;
  }
}
