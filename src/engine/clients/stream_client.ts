/** Neighbours in a client's list of streams. */
export interface Linked<T> {
  previous: T | null;
  next: T | null;
}

/** What one client holds. Its streams are linked in the order of their last activity. */
export class StreamClient<T extends Linked<T>> {
  readonly key: string;
  /** Stream whose last activity is the longest ago. */
  first: T | null = null;
  last: T | null = null;
  count = 0;
  bytes = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** Appends a stream as the one that was active last. */
  append(stream: T): void {
    stream.previous = this.last;
    stream.next = null;
    if (this.last === null) this.first = stream;
    else this.last.next = stream;
    this.last = stream;
    this.count++;
  }

  /** Takes a stream out of the list. */
  remove(stream: T): void {
    const { previous, next } = stream;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    stream.previous = stream.next = null;
    this.count--;
  }
}
