import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";
import { isOpen, keyOf } from "../../config/align.ts";
import type { ListenerConfig } from "../../config/types.ts";
import { SK_MEMINFO, SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { hostPort } from "../../sys/sockaddr.ts";
import type { BoundSocket, InheritedSource } from "../sockets.ts";
import { addressesToBind, bindListener, closeAll, tryBind } from "./listen.ts";
import { findNeighbours } from "./neighbours.ts";

/** For last answers. */
const CLOSE_AFTER_MS = 6000;

/** Sockets of one data plane; they outlive the thread. */
export class ListenerSockets {
  readonly #libc: Libc;
  readonly #inherited: InheritedSource | null;
  readonly #clock: Clock;
  #sockets: BoundSocket[] = [];
  #listeners: readonly ListenerConfig[] = [];
  /** UDP. */
  readonly #closing = new Map<Cancel, BoundSocket[]>();

  constructor(libc: Libc, inherited: InheritedSource | null = null, clock: Clock = systemClock) {
    this.#libc = libc;
    this.#inherited = inherited;
    this.#clock = clock;
  }

  get all(): BoundSocket[] {
    return [...this.#sockets];
  }

  /** Throws as `bindListener` does. */
  open(listeners: readonly ListenerConfig[], plane: number): void {
    this.change(listeners, this.prepare(listeners, plane));
  }

  /** Throws and changes nothing, or opens missing ones. */
  prepare(listeners: readonly ListenerConfig[], plane: number): BoundSocket[] {
    const known = new Set(this.#sockets.map(({ listener }) => listener));
    const wanted = listeners.flatMap((listener, index) => {
      const kept = known.has(index) && keyOf(this.#listeners[index]!) === keyOf(listener);
      return kept || !isOpen(listener) ? [] : [{ index, ...listener }];
    });
    const opened: BoundSocket[] = [];
    try {
      for (const listener of plane === 0 ? this.#sharedLast(wanted) : wanted) {
        opened.push(...this.#bind(listener, plane));
      }
      return opened;
    } catch (error) {
      this.discard(opened);
      throw error;
    }
  }

  /**
   * Shared listeners last: a later failure would lose the neighbour's queries. Binding TCP, which
   * receives nothing, detects an exclusive server.
   */
  #sharedLast<T extends ListenerConfig>(wanted: readonly T[]): T[] {
    const places = wanted.map((listener) =>
      // Handed-over ports are exclusive.
      this.#inherited?.hasPort(listener.port)
        ? []
        : addressesToBind(this.#libc, listener).filter(({ kind }) => kind === "tcp")
    );
    let taken = new Set<string>();
    try {
      taken = new Set(
        findNeighbours(places.flat(), new Set()).map(({ target }) => hostPort(target)),
      );
    } catch {
      // Any order will do.
    }
    const shared = places.map((tcp) => tcp.some((place) => taken.has(hostPort(place.target))));
    places.forEach((tcp, i) => shared[i] && tcp.forEach((place) => tryBind(this.#libc, place)));
    return [...wanted.filter((_, i) => !shared[i]), ...wanted.filter((_, i) => shared[i])];
  }

  #bind(listener: { index: number } & ListenerConfig, plane: number): BoundSocket[] {
    const { port } = listener;
    try {
      return bindListener(this.#libc, listener, this.#inherited?.of(listener, plane));
    } catch (error) {
      if (this.#inherited?.hasPort(port) !== true) throw error;
      throw new Error(
        `${(error as Error).message}; other sockets of port ${port} were handed over: let the` +
          " socket unit open this one as well",
      );
    }
  }

  discard(opened: readonly BoundSocket[]): void {
    closeAll(this.#libc, opened);
  }

  change(listeners: readonly ListenerConfig[], opened: readonly BoundSocket[]): BoundSocket[] {
    const stays = ({ listener }: BoundSocket) => {
      const now = listeners[listener];
      return now !== undefined && isOpen(now) && keyOf(now) === keyOf(this.#listeners[listener]!);
    };
    const { gone = [], kept = [] } = Object.groupBy(
      this.#sockets,
      (socket) => stays(socket) ? "kept" : "gone",
    );
    this.#sockets = [...kept, ...opened];
    this.#listeners = listeners;
    return gone;
  }

  /** UDP after the last answers. */
  close(gone: readonly BoundSocket[]): void {
    const { tcp = [], udp = [] } = Object.groupBy(gone, ({ kind }) => kind);
    closeAll(this.#libc, tcp);
    if (udp.length === 0) return;
    const cancel = this.#clock.after(CLOSE_AFTER_MS, () => {
      this.#closing.delete(cancel);
      closeAll(this.#libc, udp);
    });
    this.#closing.set(cancel, udp);
  }

  /** After accepting queued connections. */
  closeListening(): void {
    const { tcp = [], udp = [] } = Object.groupBy(this.#sockets, ({ kind }) => kind);
    closeAll(this.#libc, tcp);
    this.#sockets = udp;
  }

  closeAll(): void {
    closeAll(this.#libc, [...this.#sockets, ...[...this.#closing.values()].flat()]);
    this.#sockets = [];
    for (const cancel of this.#closing.keys()) cancel();
    this.#closing.clear();
  }

  /** Datagrams dropped for a full buffer. */
  *drops(): Generator<{ listener: number; drops: number }> {
    const words = new Uint32Array(SK_MEMINFO.WORDS);
    for (const { fd, kind, listener } of this.#sockets) {
      if (kind !== "udp") continue;
      const size = new Uint32Array([words.byteLength]);
      if (this.#libc.getsockopt(fd, SOL.SOCKET, SO.MEMINFO, words, size) < 0) continue;
      yield { listener, drops: words[SK_MEMINFO.DROPS]! };
    }
  }
}
