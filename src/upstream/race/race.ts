import type { Timer } from "../../engine/timers.ts";
import { Inquiry } from "../message/inquiry.ts";
import type { Reply } from "../message/reply.ts";
import { type AskHandler, type Outcome, RANK, type Ticket } from "../outcome.ts";
import type { Contestant, RaceAim, RaceGroup, RaceHandler } from "./contest.ts";
import { RaceFailures } from "./failures.ts";
import { type Runner, Runners } from "./runners.ts";
import { Sends } from "./sends.ts";

/** Time for one question over all servers (CoreDNS's `defaultTimeout`). */
const TOTAL_MS = 5000;
/** Pause between two rounds of all servers where the number of attempts has no limit. */
const REST_MS = 50;
/** Time for one question while every server is down: long enough for one that is just back. */
const ALL_DOWN_MS = 500;
/** Time that other servers get once one has refused. */
const REFUSED_MS = 1500;
/** Asks under way at a time. */
const MAX_UNDER_WAY = 4;
/** How often a question is sent again before any ask has failed. */
const MAX_EXTRAS = 3;
/** Hedges come no sooner than this: batches and scheduling alone take that long. */
const MIN_HEDGE_MS = 5;

const ANY: RaceAim = { only: null, intoLoops: false };

/**
 * One question on its way to several servers; the first good reply wins.
 *
 * ```
 *  ask ──answer──────────────────────────────────► answered
 *     ├─ failed, refused or silent ─► next server ─► …
 *     ├─ its server is suspected ─► another one beside it
 *     └─ later than usual ─► another one beside it, within a budget
 * ```
 *
 * It sees outcomes alone: how a server is spoken to is the server's business. Once it has ended it can
 * be started again.
 */
export class Race implements AskHandler {
  readonly inquiry = new Inquiry();
  readonly #group: RaceGroup;
  readonly #handler: RaceHandler;
  readonly #timer: Timer;
  readonly #runners = new Runners<Contestant>();
  #state: "idle" | "running" | "resting" = "idle";
  #streamed = false;
  #deadlineMs = 0;
  /** When the question is sent once more although no ask has failed. */
  #secondMs = Infinity;
  /** How often that has happened. */
  #extras = 0;
  /** What that comes out of: hedging, or asking again what may be lost. */
  #hedging = false;
  /** Where the next server is looked for. */
  #index = 0;
  #asks = 0;
  readonly #failures = new RaceFailures();
  /** The one server that may be asked, once; null for any. */
  #only: Contestant | null = null;
  /** Highest rank of a server that may be asked. */
  #worst: number = RANK.DOWN;
  /** Servers whose replies are no better than none; asked no more. */
  readonly #refusers: Contestant[] = [];
  readonly #sends = new Sends<Contestant>();

  /** @param handler - told how each start ends */
  constructor(group: RaceGroup, handler: RaceHandler) {
    this.#group = group;
    this.#handler = handler;
    this.#timer = group.engine.timers.create(() => this.#due());
  }

  /**
   * Starts with the question in `inquiry`.
   *
   * @param sinceMs - since when the client waits, in monotonic milliseconds
   * @param streamed - servers that take datagrams are asked over TCP at first
   * @param aim - the one server to ask, or whether those that lead into a loop may be asked as well
   */
  start(sinceMs: number, streamed: boolean, aim: RaceAim = ANY): void {
    const { order, engine, settings, hedges, resends } = this.#group;
    this.#state = "running";
    this.#streamed = streamed;
    this.#only = aim.only;
    this.#worst = aim.intoLoops ? RANK.LOOPING : RANK.DOWN;
    this.#index = order.first(engine.nowMs);
    this.#asks = 0;
    this.#refusers.length = 0;
    this.#extras = 0;
    this.#failures.clear();
    this.#sends.clear();
    this.#hedging = false;
    this.#secondMs = Infinity;
    this.#deadlineMs = sinceMs + Math.max(TOTAL_MS, settings.readTimeoutMs);
    hedges.earn();
    resends.earn();
    this.#tryNext();
  }

  ended(ticket: Ticket, outcome: Outcome): void {
    const runner = this.#runners.remove(ticket);
    if (runner === null) return;
    switch (outcome.kind) {
      case "answer":
      case "refused":
        this.#replied(runner, outcome);
        return;
      case "failed":
        this.#failures.failed(runner.server.label, outcome.why);
        this.#afterFailure(runner, false);
        return;
      case "silent":
        this.#failures.silent(runner.server.label);
        this.#afterFailure(runner, true);
    }
  }

  /** Nothing at all comes from an ask's server: asks another one beside it. */
  suspected(ticket: Ticket): void {
    if (this.#only !== null || this.#hasHealthyRunner() || !this.#mayAsk()) return;
    const { order, engine, servers } = this.#group;
    const runner = this.#runners.find(ticket);
    if (runner === null) return;
    const index = order.next(this.#index, [runner.server, ...this.#refusers], 0);
    if (index < 0 || this.#underSendLimit(index) !== index) return;
    this.#asks++;
    this.#secondMs = engine.nowMs + servers[index]!.roundTrip.patienceMs;
    this.#ask(index);
    this.#schedule();
  }

  #replied(runner: Runner<Contestant>, outcome: Outcome & { reply: Reply }): void {
    const { engine, resends } = this.#group;
    // It was lost indeed: what was sent again came back in the usual time.
    const tookMs = engine.nowMs - runner.ticket.sinceMs;
    if (runner.resent && tookMs <= runner.server.roundTrip.patienceMs) resends.giveBack();
    if (this.#isPassedOver(runner.server, outcome)) {
      this.#failures.replied(outcome);
      this.#deadlineMs = Math.min(this.#deadlineMs, engine.nowMs + REFUSED_MS);
      for (let i = 0; i < this.#runners.size; i++) {
        this.#runners.at(i).ticket.limit(this.#deadlineMs);
      }
      this.#afterFailure(runner, false);
    } else if (outcome.kind === "refused" && this.#runners.size > 0) {
      // Something better may yet come, within the usual time.
      this.#failures.replied(outcome);
      this.#waitBriefly();
    } else {
      this.#stop();
      this.#handler.answered(outcome.reply);
    }
  }

  /** Whether a reply is as good as none while others may come. */
  #isPassedOver(server: Contestant, outcome: Outcome & { reply: Reply }): boolean {
    const { servers, settings } = this.#group;
    const elsewhere = outcome.kind === "refused" && outcome.elsewhere;
    if (!elsewhere && !settings.failover.includes(outcome.reply.rcode)) return false;
    if (!this.#refusers.includes(server)) this.#refusers.push(server);
    return this.#runners.size > 0 || (this.#refusers.length < servers.length && this.#mayAsk());
  }

  #afterFailure({ server }: Runner<Contestant>, silent: boolean): void {
    const { order } = this.#group;
    const none = this.#runners.size === 0;
    // A client over TCP must not make a name fail, for everybody, where servers have UDP alone.
    if (none) this.#streamed = false;
    const moves = silent ||
      (!this.#hasHealthyRunner() && order.next(this.#index, [server, ...this.#refusers], 0) >= 0);
    if (none || (moves && this.#mayAsk())) this.#tryNext();
    else this.#schedule();
  }

  /** Whether an ask is under way that may still get a timely reply. */
  #hasHealthyRunner(): boolean {
    const runners = this.#runners;
    for (let i = 0; i < runners.size; i++) if (runners.at(i).server.rank === 0) return true;
    return false;
  }

  #mayAsk(): boolean {
    const { settings, engine, servers } = this.#group;
    const limit = settings.maxConnectAttempts ?? 2 * servers.length;
    return engine.nowMs < this.#deadlineMs && this.#runners.size < MAX_UNDER_WAY &&
      (limit === 0 || this.#asks < limit);
  }

  /** Picks the server for the next ask, or gives up. */
  #tryNext(): void {
    const { servers, settings, engine, order } = this.#group;
    let rested = this.#state === "resting";
    this.#state = "running";
    while (this.#mayAsk()) {
      const unlimited = settings.maxConnectAttempts === 0;
      if (unlimited && !rested && this.#asks > 0 && this.#asks % servers.length === 0) {
        // Asks without a limit: where failures come at once, they must not follow at once.
        this.#state = "resting";
        engine.timers.set(this.#timer, Math.min(engine.nowMs + REST_MS, this.#deadlineMs));
        return;
      }
      const refusers = this.#refusers;
      let index = this.#only === null
        ? this.#underSendLimit(order.next(this.#index, refusers, this.#worst))
        : this.#onlyOnce(this.#only);
      if (index < 0) break;
      if (this.#only === null && servers[index]!.rank === RANK.DOWN) {
        // All are down: either the checks are wrong or nothing helps, so try one anyway.
        if (refusers.length === 0) {
          this.#group.countAllDown();
          if (settings.failfastAllUnhealthyUpstreams) {
            this.#failures.refused("no healthy proxies");
            break;
          }
          const start = engine.random() % servers.length;
          index = this.#underSendLimit(order.next(start, refusers, RANK.DOWN));
        }
        this.#deadlineMs = Math.min(this.#deadlineMs, engine.nowMs + ALL_DOWN_MS);
      }
      this.#asks++;
      // The next round rests as well.
      rested = false;
      if (this.#ask(index)) {
        this.#schedule();
        return;
      }
    }
    if (this.#runners.size === 0) this.#fail();
    else this.#schedule();
  }

  /** Asks a server, beside those under way. */
  #ask(index: number, limitMs = this.#deadlineMs, resent = false): boolean {
    const server = this.#group.servers[index]!;
    this.#index = index + 1;
    const again = this.#sends.to(server) > 0;
    this.#sends.add(server);
    if (this.#sends.count === 1) this.#planSecond(server, true);
    const asked = server.ask(this.inquiry, { streamed: this.#streamed, again, limitMs }, this);
    if ("kind" in asked) {
      if (asked.kind === "failed") this.#failures.failed(server.label, asked.why);
      return false;
    }
    this.#runners.add(asked, server, resent);
    return true;
  }

  /** The server at `index`, or the next that may still have the question; -1 for none. */
  #underSendLimit(index: number): number {
    const { settings, servers } = this.#group;
    if (settings.maxConnectAttempts === 0) return index;
    for (let i = 0; index >= 0 && i < servers.length; i++) {
      const following = (index + i) % servers.length;
      if (servers[following]!.rank > this.#worst) continue;
      if (this.#sends.mayGoTo(servers[following]!)) return following;
    }
    return -1;
  }

  /** Index of the only server to ask; -1 once it has been. */
  #onlyOnce(server: Contestant): number {
    return this.#sends.count > 0 ? -1 : this.#group.servers.indexOf(server);
  }

  /** Gives the asks under way no more than a moment before a failure is handed on. */
  #waitBriefly(): void {
    const { nowMs } = this.#group.engine;
    for (let i = 0; i < this.#runners.size; i++) {
      const { ticket, server } = this.#runners.at(i);
      const limitMs = nowMs + server.roundTrip.patienceMs;
      ticket.limit(limitMs);
      this.#deadlineMs = Math.min(this.#deadlineMs, limitMs);
    }
    this.#schedule();
  }

  /** The timer: a rest is over, or it is time for a second ask. */
  #due(): void {
    if (this.#state === "resting") this.#tryNext();
    else if (this.#group.engine.nowMs >= this.#secondMs) {
      this.#askSecond();
      this.#schedule();
    }
  }

  /** Sets when to ask a second server beside the first. */
  #planSecond(server: Contestant, first: boolean): void {
    const { settings, engine, servers } = this.#group;
    this.#hedging = first && settings.hedgeMs !== null && servers.length > 1;
    const waitMs = !this.#hedging
      ? server.roundTrip.patienceMs
      : settings.hedgeMs === "auto"
      ? Math.max(server.roundTrip.usualMs, MIN_HEDGE_MS)
      : settings.hedgeMs!;
    this.#secondMs = engine.nowMs + waitMs;
  }

  /** The reply takes longer than usual: asks once more, within the budgets. */
  #askSecond(): void {
    const group = this.#group;
    const { engine, order, servers, hedges, resends } = group;
    const { nowMs } = engine;
    this.#secondMs = Infinity;
    const { newest } = this.#runners;
    if (newest === null || this.#only !== null || this.#runners.size >= MAX_UNDER_WAY) return;
    const { ticket, server } = newest;
    // Its time is up: what follows the time-out asks again.
    if (ticket.dueMs <= nowMs) return;
    if (nowMs >= this.#deadlineMs || this.#extras >= MAX_EXTRAS) return;
    const { patienceMs } = server.roundTrip;
    if (!this.#hedging && ticket.sinceMs + patienceMs > nowMs) {
      // It has no socket yet, or its connection is new or not established yet.
      this.#secondMs = Math.min(ticket.sinceMs, nowMs) + patienceMs;
      return;
    }
    const other = order.next(this.#index, [server, ...this.#refusers], 0);
    if (this.#hedging) {
      if (other >= 0 && this.#underSendLimit(other) === other && hedges.spend(nowMs)) {
        group.countHedge();
        this.#extras++;
        this.#ask(other);
      }
      this.#planSecond(server, false);
      return;
    }
    // With no other server the same one, unless a stream makes sure that nothing gets lost.
    const index = other >= 0 || ticket.streamed ? other : servers.indexOf(server);
    if (index < 0 || this.#underSendLimit(index) !== index || !resends.spend(nowMs)) return;
    group.countResend();
    this.#extras++;
    // Each time twice as patient.
    this.#secondMs = nowMs + servers[index]!.roundTrip.patienceMs * 2 ** this.#extras;
    // It has the time that is left to what it repeats.
    this.#ask(index, ticket.dueMs, true);
  }

  #schedule(): void {
    const { timers } = this.#group.engine;
    if (this.#secondMs < Infinity) timers.set(this.#timer, this.#secondMs);
    else timers.clear(this.#timer);
  }

  #fail(): void {
    this.#stop();
    this.#handler.failed(this.#failures.describe());
  }

  #stop(): void {
    this.#state = "idle";
    for (let last = this.#runners.newest; last !== null; last = this.#runners.newest) {
      this.#runners.remove(last.ticket);
      last.ticket.cancel();
    }
    this.#group.engine.timers.clear(this.#timer);
  }
}
