import type { Ticket } from "../outcome.ts";

/** One ask of a race for the best answer of several servers. */
export interface Runner<Server> {
  ticket: Ticket;
  server: Server;
  /** It repeats another one that may have been lost. */
  resent: boolean;
}

/** Asks under way, oldest first. Objects are used again, so that a miss allocates none. */
export class Runners<Server> {
  /** Those under way first, then those that wait to be used again. */
  readonly #runners: Runner<Server>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get newest(): Runner<Server> | null {
    return this.#size === 0 ? null : this.#runners[this.#size - 1]!;
  }

  at(index: number): Runner<Server> {
    return this.#runners[index]!;
  }

  add(ticket: Ticket, server: Server, resent: boolean): void {
    const spare = this.#runners[this.#size];
    if (spare === undefined) this.#runners.push({ ticket, server, resent });
    else {
      spare.ticket = ticket;
      spare.server = server;
      spare.resent = resent;
    }
    this.#size++;
  }

  find(ticket: Ticket): Runner<Server> | null {
    for (let i = 0; i < this.#size; i++) {
      if (this.#runners[i]!.ticket === ticket) return this.#runners[i]!;
    }
    return null;
  }

  /** Takes one out; what is returned is good until the next `add`. */
  remove(ticket: Ticket): Runner<Server> | null {
    const runner = this.find(ticket);
    if (runner === null) return null;
    const runners = this.#runners;
    const last = this.#size - 1;
    for (let i = runners.indexOf(runner); i < last; i++) runners[i] = runners[i + 1]!;
    runners[last] = runner;
    this.#size = last;
    return runner;
  }
}
