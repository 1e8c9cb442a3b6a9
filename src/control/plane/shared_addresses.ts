import { type Clock, systemClock } from "../../base/clock.ts";
import type { ListenerConfig } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { addressesToBind } from "../../io/linux/listen.ts";
import { findNeighbours, listHandshakes, placeOf } from "../../io/linux/neighbours.ts";
import { dropSyns, steerAway } from "../../io/linux/steering.ts";
import type { BoundAddress, BoundSocket, Neighbour } from "../../io/sockets.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import { cookieOf } from "../../sys/netlink/sock_diag.ts";
import { hostPort } from "../../sys/sockaddr.ts";

/** Clients repeat after one second (RFC 6298), plus the round trip. */
const HANDSHAKES_MS = 1500;
const POLL_MS = 20;
const MAX_NAMED = 3;

type Log = (level: LogLevel, line: string) => void;

/** First few: `127.0.0.1:53, [::1]:53`. */
export function neighboursText(neighbours: readonly Neighbour[]): string {
  const texts = [...new Set(neighbours.map(({ target }) => hostPort(target)))];
  const more = texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : "";
  return `${texts.slice(0, MAX_NAMED).join(", ")}${more}`;
}

/** Own addresses, and the user's processes that share them (sock_diag). */
export class SharedAddresses {
  readonly #libc: Libc = openLibc();
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #addresses: readonly BoundAddress[];
  readonly #own = new Set<bigint>();
  #warned = false;

  constructor(addresses: readonly BoundAddress[], log: Log, clock: Clock = systemClock) {
    this.#addresses = addresses;
    this.#log = log;
    this.#clock = clock;
  }

  static wanted(listeners: readonly ListenerConfig[], log: Log): SharedAddresses {
    const libc = openLibc();
    return new SharedAddresses(listeners.flatMap((one) => addressesToBind(libc, one)), log);
  }

  static of(sockets: readonly BoundSocket[], log: Log, clock?: Clock): SharedAddresses {
    const libc = openLibc();
    const shared = new SharedAddresses(sockets.map((socket) => placeOf(libc, socket)), log, clock);
    shared.disregard(sockets.map(({ fd }) => fd));
    return shared;
  }

  disregard(fds: readonly number[]): void {
    for (const fd of fds) {
      const cookie = cookieOf(this.#libc, fd);
      if (cookie !== null) this.#own.add(cookie);
    }
  }

  neighbours(): Neighbour[] {
    return this.#ask(() => findNeighbours(this.#addresses, this.#own), []);
  }

  /** Diverts connections; resolves without handshakes in progress, so closing resets none. */
  async divertConnections(sockets: readonly BoundSocket[]): Promise<void> {
    const neighbours = this.neighbours();
    const groups = Map.groupBy(
      // The next process gets handed-over sockets.
      sockets.filter(({ kind, inherited }) => kind === "tcp" && inherited === undefined),
      (socket) => hostPort(placeOf(this.#libc, socket).target),
    );
    if (groups.size === 0) return;
    for (const [text, group] of groups) {
      const { count: others = 0 } = neighbours.find((one) =>
        one.kind === "tcp" && hostPort(one.target) === text
      ) ?? {};
      if (others > 0) steerAway(this.#libc, group[0]!.fd, { own: group.length, others });
      for (const { fd } of group) dropSyns(this.#libc, fd);
    }
    const clock = this.#clock;
    const endMs = clock.now() + HANDSHAKES_MS;
    // A new SYN may not be listed yet.
    await clock.sleep(POLL_MS);
    for (let left = this.#handshakes(); left.size > 0 && clock.now() < endMs;) {
      await clock.sleep(POLL_MS);
      // Later handshakes belong to others.
      left = left.intersection(this.#handshakes());
    }
  }

  #handshakes(): Set<string> {
    return this.#ask(() => listHandshakes(this.#addresses), new Set());
  }

  /** On failure, warns once and returns `unknown`. */
  #ask<T>(question: () => T, unknown: T): T {
    try {
      return question();
    } catch (error) {
      const why = (error as Error).message;
      const text = `cannot tell whether another process has the same addresses: ${why}`;
      if (!this.#warned) this.#log("warning", text);
      this.#warned = true;
      return unknown;
    }
  }
}
