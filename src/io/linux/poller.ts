import { EPOLL, EPOLL_CLOEXEC, EPOLL_EVENT } from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";

/** New queries wait: 256 took up to 10 ms. */
const MAX_EVENTS = 32;
/** Waits per round. */
const MAX_WAITS = 8;

/** `events` are EPOLL bits. */
export interface PollTarget {
  ready(events: number): void;
}

/** Level-triggered. Generations drop events of a reused descriptor. */
export class Poller {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #events = new Uint8Array(MAX_EVENTS * EPOLL_EVENT.size);
  readonly #eventsView = new DataView(this.#events.buffer);
  readonly #one = new Uint8Array(EPOLL_EVENT.size);
  readonly #oneView = new DataView(this.#one.buffer);
  readonly #targets: (PollTarget | null)[] = [];
  readonly #generations: number[] = [];
  #waits = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#fd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#fd < 0) throw new Error(`Cannot create an epoll instance: ${lastErrorText()}`);
  }

  add(fd: number, events: number, target: PollTarget): void {
    while (this.#targets.length <= fd) {
      this.#targets.push(null);
      this.#generations.push(0);
    }
    this.#targets[fd] = target;
    this.#generations[fd] = (this.#generations[fd]! + 1) & 0x3fffffff;
    this.#control(EPOLL.ADD, fd, events);
  }

  modify(fd: number, events: number): void {
    this.#control(EPOLL.MOD, fd, events);
  }

  /** Before closing. */
  remove(fd: number): void {
    this.#targets[fd] = null;
    this.#control(EPOLL.DEL, fd, 0);
  }

  watches(fd: number, target: PollTarget): boolean {
    return this.#targets[fd] === target;
  }

  wait(timeoutMs: number): number {
    if (this.roundOver) this.#waits = 0;
    // -1: interrupted by a signal.
    const count = Math.max(0, this.#libc.epoll_wait(this.#fd, this.#events, MAX_EVENTS, timeoutMs));
    this.#waits = count < MAX_EVENTS ? MAX_WAITS : this.#waits + 1;
    return count;
  }

  /** All is dispatched, within limits. */
  get roundOver(): boolean {
    return this.#waits >= MAX_WAITS;
  }

  dispatch(i: number): void {
    const at = i * EPOLL_EVENT.size;
    const view = this.#eventsView;
    const fd = view.getUint32(at + EPOLL_EVENT.data, true);
    if (view.getUint32(at + EPOLL_EVENT.data + 4, true) !== this.#generations[fd]) return;
    this.#targets[fd]?.ready(view.getUint32(at, true));
  }

  close(): void {
    this.#libc.close(this.#fd);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#oneView.setUint32(0, events, true);
    this.#oneView.setUint32(EPOLL_EVENT.data, fd, true);
    this.#oneView.setUint32(EPOLL_EVENT.data + 4, this.#generations[fd] ?? 0, true);
    this.#libc.epoll_ctl(this.#fd, operation, fd, this.#one);
  }
}
