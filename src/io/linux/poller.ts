import { EPOLL, EPOLL_CLOEXEC, EPOLL_EVENT } from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";

/**
 * Events taken at a time. Few, because what comes meanwhile waits for them: a turn of 256 connections
 * took up to 10 ms, which a UDP query saw as its latency.
 */
const MAX_EVENTS = 32;
/** Waits in a row after which a round is over although more is ready. */
const MOST_WAITS = 8;

/** What happens on a file descriptor; `events` are EPOLL bits. */
export interface PollTarget {
  ready(events: number): void;
}

/**
 * epoll, level-triggered. Targets are found by file descriptor and generation, so an event for a
 * descriptor that was closed and opened anew in the same round reaches nobody.
 */
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

  /** Watches a descriptor. */
  add(fd: number, events: number, target: PollTarget): void {
    while (this.#targets.length <= fd) {
      this.#targets.push(null);
      this.#generations.push(0);
    }
    this.#targets[fd] = target;
    this.#generations[fd] = (this.#generations[fd]! + 1) & 0x3fffffff;
    this.#control(EPOLL.ADD, fd, events);
  }

  /** Changes what is watched for. */
  modify(fd: number, events: number): void {
    this.#control(EPOLL.MOD, fd, events);
  }

  /** Stops watching; call it before the descriptor is closed. */
  remove(fd: number): void {
    this.#targets[fd] = null;
    this.#control(EPOLL.DEL, fd, 0);
  }

  /** Whether this target is what the descriptor is watched for. */
  watches(fd: number, target: PollTarget): boolean {
    return this.#targets[fd] === target;
  }

  /** Waits for events, `timeoutMs` at most; returns how many `dispatch` will find. */
  wait(timeoutMs: number): number {
    if (this.roundOver) this.#waits = 0;
    // -1 is an interruption by a signal: nothing happened.
    const count = Math.max(0, this.#libc.epoll_wait(this.#fd, this.#events, MAX_EVENTS, timeoutMs));
    this.#waits = count < MAX_EVENTS ? MOST_WAITS : this.#waits + 1;
    return count;
  }

  /** Whatever was ready when the round began has been dispatched, unless very much was. */
  get roundOver(): boolean {
    return this.#waits >= MOST_WAITS;
  }

  /** Calls the target of event `i`. */
  dispatch(i: number): void {
    const at = i * EPOLL_EVENT.size;
    const view = this.#eventsView;
    const fd = view.getUint32(at + EPOLL_EVENT.data, true);
    if (view.getUint32(at + EPOLL_EVENT.data + 4, true) !== this.#generations[fd]) return;
    this.#targets[fd]?.ready(view.getUint32(at, true));
  }

  /** Closes the epoll instance. */
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
