import type { Neighbour } from "../../io/sockets.ts";
import type { BoundPlace } from "../../io/sockets.ts";
import type { BoundSocket } from "../../io/sockets.ts";
import type { ListenerConfig } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { listenPlaces } from "../../io/linux/listen.ts";
import { findNeighbours, listHandshakes, placeOf, placeText } from "../../io/linux/neighbours.ts";
import { dropSyns, steerAway } from "../../io/linux/steering.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import { cookieOf } from "../../sys/netlink/sock_diag.ts";

/**
 * Time that handshakes under way are given: a client whose packet is lost is asked again after one
 * second (RFC 6298), and half a second is for the way.
 */
const HANDSHAKES_MS = 1500;
/** Pause between two looks at them. */
const LOOK_MS = 20;

/** Addresses that are named in a line of the log. */
const MAX_NAMED = 3;

type Log = (level: LogLevel, line: string) => void;

/** Their addresses in words, the first few: `127.0.0.1:53, [::1]:53`. */
export function neighboursText(neighbours: readonly Neighbour[]): string {
  const texts = [...new Set(neighbours.map(placeText))];
  const more = texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : "";
  return `${texts.slice(0, MAX_NAMED).join(", ")}${more}`;
}

/**
 * The addresses that this process serves, which another process of the same user may be bound to as
 * well: then that one goes on where this one stops. The kernel is asked for it (sock_diag).
 */
export class SharedAddresses {
  readonly #libc: Libc = openLibc();
  readonly #log: Log;
  readonly #places: BoundPlace[];
  readonly #own = new Set<bigint>();
  #failed = false;

  constructor(places: readonly BoundPlace[], log: Log) {
    this.#places = [...places];
    this.#log = log;
  }

  /** Those that a configuration asks for, before they are bound. */
  static wanted(listeners: readonly ListenerConfig[], log: Log): SharedAddresses {
    const libc = openLibc();
    return new SharedAddresses(listeners.flatMap((one) => listenPlaces(libc, one)), log);
  }

  /** Those of open sockets, also after they are closed. */
  static of(sockets: readonly BoundSocket[], log: Log): SharedAddresses {
    const libc = openLibc();
    const shared = new SharedAddresses(sockets.map((socket) => placeOf(libc, socket)), log);
    shared.disregard(sockets.map(({ fd }) => fd));
    return shared;
  }

  /** Counts these sockets as this process's own. */
  disregard(fds: readonly number[]): void {
    for (const fd of fds) {
      const cookie = cookieOf(this.#libc, fd);
      if (cookie !== null) this.#own.add(cookie);
    }
  }

  /** Where others accept queries as well; nowhere, with a warning, where the kernel does not tell. */
  neighbours(): Neighbour[] {
    try {
      return findNeighbours(this.#places, this.#own);
    } catch (error) {
      this.#warn(error);
      return [];
    }
  }

  /**
   * Leads new connections to the other processes, and resolves when no handshake with the listening
   * sockets of this one is under way, so that they can be closed without a reset.
   */
  async turnConnectionsAway(sockets: readonly BoundSocket[]): Promise<void> {
    const neighbours = this.neighbours();
    const groups = Map.groupBy(
      // Sockets that were handed over are the next process's as well.
      sockets.filter(({ kind, inherited }) => kind === "tcp" && inherited === undefined),
      (socket) => placeText(placeOf(this.#libc, socket)),
    );
    if (groups.size === 0) return;
    for (const [text, group] of groups) {
      const { count: others = 0 } = neighbours.find((one) =>
        one.kind === "tcp" && placeText(one) === text
      ) ?? {};
      if (others > 0) steerAway(this.#libc, group[0]!.fd, { own: group.length, others });
      for (const { fd } of group) dropSyns(this.#libc, fd);
    }
    const endMs = performance.now() + HANDSHAKES_MS;
    const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    // A SYN that was let in just before may not show yet.
    await pause();
    for (let left = this.#handshakes(); left.size > 0 && performance.now() < endMs;) {
      await pause();
      // Those that began since belong to others.
      left = left.intersection(this.#handshakes());
    }
  }

  #handshakes(): Set<string> {
    try {
      return listHandshakes(this.#places);
    } catch (error) {
      this.#warn(error);
      return new Set();
    }
  }

  #warn(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#log(
      "warning",
      `whether another process has the same addresses is not known: ${(error as Error).message}`,
    );
  }
}
