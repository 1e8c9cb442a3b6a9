import { isOpen, keyOf } from "../../config/align.ts";
import type { ListenerConfig } from "../../config/types.ts";
import { SK_MEMINFO, SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import type { BoundSocket, InheritedSource } from "../sockets.ts";
import { bindListener, closeAll, listenPlaces, tryBind } from "./listen.ts";
import { findNeighbours, placeText } from "./neighbours.ts";

/** Time that queries have to be answered before the socket that they came by is closed. */
const CLOSE_AFTER_MS = 6000;

/**
 * The sockets that one data plane serves, as the control plane holds them: it opens and closes them,
 * so that they outlive a thread that died.
 *
 * Listeners are known by their index, and keep it as long as they are served (`alignListeners`).
 */
export class ListenerSockets {
  readonly #libc: Libc;
  readonly #inherited: InheritedSource | null;
  #sockets: BoundSocket[] = [];
  /** What they were opened for. */
  #listeners: readonly ListenerConfig[] = [];
  /** Their listeners are gone; they are closed when the last answers are out. */
  readonly #closing = new Set<BoundSocket>();

  constructor(libc: Libc, inherited: InheritedSource | null = null) {
    this.#libc = libc;
    this.#inherited = inherited;
  }

  /** All that are served. */
  get all(): BoundSocket[] {
    return [...this.#sockets];
  }

  /**
   * Opens what these listeners need. Throws an error that names the address and what would do.
   *
   * @param plane - index of this data plane among those that share the ports
   */
  open(listeners: readonly ListenerConfig[], plane: number): void {
    this.change(listeners, this.prepare(listeners, plane));
  }

  /** Opens what these listeners need beside what there is; throws as `open`, and changes nothing. */
  prepare(listeners: readonly ListenerConfig[], plane: number): BoundSocket[] {
    const known = new Set(this.#sockets.map(({ listener }) => listener));
    const wanted = listeners.flatMap((listener, index) => {
      const kept = known.has(index) && keyOf(this.#listeners[index]!) === keyOf(listener);
      return kept || !isOpen(listener) ? [] : [{ index, ...listener }];
    });
    const ordered = plane === 0 ? this.#sharedLast(wanted) : wanted;
    const opened: BoundSocket[] = [];
    try {
      for (const listener of ordered) {
        opened.push(...this.#bind(listener, plane));
      }
      return opened;
    } catch (error) {
      this.discard(opened);
      throw error;
    }
  }

  /**
   * Listeners in the order in which they are opened. Those that another process has as well come
   * last: from then on queries come to this one, and are lost where another listener cannot be opened.
   * A stranger's server is noticed before by binding TCP, which alone takes nothing in; one that has
   * no TCP there is not taken for a process that shares the address.
   */
  #sharedLast<T extends ListenerConfig>(wanted: readonly T[]): T[] {
    const places = wanted.map((listener) =>
      // A port of which sockets were handed over is nobody else's.
      this.#inherited?.hasPort(listener.port)
        ? []
        : listenPlaces(this.#libc, listener).filter(({ kind }) => kind === "tcp")
    );
    let taken = new Set<string>();
    try {
      taken = new Set(findNeighbours(places.flat(), new Set()).map(placeText));
    } catch {
      // The kernel does not tell; then any order will do.
    }
    const shared = places.map((tcp) => tcp.some((place) => taken.has(placeText(place))));
    places.forEach((tcp, i) => shared[i] && tcp.forEach((place) => tryBind(this.#libc, place)));
    return [
      ...wanted.filter((_, i) => !shared[i]),
      ...wanted.filter((_, i) => shared[i]),
    ];
  }

  #bind(listener: { index: number } & ListenerConfig, plane: number): BoundSocket[] {
    const { port } = listener;
    const inherited = this.#inherited?.of(listener, plane) ?? [];
    try {
      return bindListener(this.#libc, listener, inherited);
    } catch (error) {
      if (this.#inherited?.hasPort(port) !== true) throw error;
      throw new Error(
        `${(error as Error).message}; other sockets of port ${port} were handed over: let the` +
          " socket unit open this one as well",
      );
    }
  }

  /** Closes what `prepare` has opened. */
  discard(opened: readonly BoundSocket[]): void {
    closeAll(this.#libc, opened);
  }

  /** Takes over the listeners and what was opened for them; returns what they no longer need. */
  change(listeners: readonly ListenerConfig[], opened: readonly BoundSocket[]): BoundSocket[] {
    const stays = ({ listener }: BoundSocket) => {
      const now = listeners[listener];
      return now !== undefined && isOpen(now) && keyOf(now) === keyOf(this.#listeners[listener]!);
    };
    const gone = this.#sockets.filter((socket) => !stays(socket));
    this.#sockets = [...this.#sockets.filter(stays), ...opened];
    this.#listeners = listeners;
    return gone;
  }

  /** Closes sockets whose listeners are gone: TCP at once, UDP when the last answers are out. */
  close(gone: readonly BoundSocket[]): void {
    if (gone.length === 0) return;
    closeAll(this.#libc, gone.filter(({ kind }) => kind === "tcp"));
    const rest = gone.filter(({ kind }) => kind === "udp");
    for (const socket of rest) this.#closing.add(socket);
    const timer = setTimeout(() => {
      for (const socket of rest) if (this.#closing.delete(socket)) closeAll(this.#libc, [socket]);
    }, CLOSE_AFTER_MS);
    Deno.unrefTimer(timer);
  }

  /** Closes the sockets that listen for connections: all that waited are accepted. */
  closeListening(): void {
    closeAll(this.#libc, this.#sockets.filter(({ kind }) => kind === "tcp"));
    this.#sockets = this.#sockets.filter(({ kind }) => kind !== "tcp");
  }

  /** Closes everything. */
  closeAll(): void {
    closeAll(this.#libc, [...this.#sockets, ...this.#closing]);
    this.#sockets = [];
    this.#closing.clear();
  }

  /** Datagrams that the kernel threw away because a socket's buffer was full. */
  *drops(): Generator<{ listener: number; drops: number }> {
    const words = new Uint32Array(SK_MEMINFO.WORDS);
    const bytes = new Uint8Array(words.buffer);
    for (const { fd, kind, listener } of this.#sockets) {
      if (kind !== "udp") continue;
      const size = new Uint32Array([words.byteLength]);
      if (this.#libc.getsockopt(fd, SOL.SOCKET, SO.MEMINFO, bytes, size) < 0) continue;
      yield { listener, drops: words[SK_MEMINFO.DROPS]! };
    }
  }
}
