/** A client's streams, least recently active first. */
export class StreamClient<T extends { previous: T | null; next: T | null }> {
  readonly key: string;
  first: T | null = null;
  last: T | null = null;
  count = 0;
  bytes = 0;

  constructor(key: string) {
    this.key = key;
  }

  list(): T[] {
    const streams: T[] = [];
    for (let one = this.first; one !== null; one = one.next) streams.push(one);
    return streams;
  }

  append(stream: T): void {
    stream.previous = this.last;
    stream.next = null;
    if (this.last === null) this.first = stream;
    else this.last.next = stream;
    this.last = stream;
    this.count++;
  }

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
