import { ErrorText } from "../../dns/error_text.ts";
import type { Timer } from "../../engine/timers.ts";
import { Inquiry } from "../message/inquiry.ts";
import type { Reply } from "../message/reply.ts";
import { type AskHandler, type Outcome, RANK, type Ticket } from "../outcome.ts";
import { RaceFailure, type RaceGroup, type RaceHandler, type RaceServer } from "./types.ts";

/** CoreDNS's `defaultTimeout`. */
const TOTAL_MS = 5000;
/** Between rounds, with unlimited attempts. */
const PAUSE_MS = 50;
/** While all are down; enough for a recovered server. */
const ALL_DOWN_MS = 500;
/** After a refusal. */
const REFUSED_MS = 1500;
const MAX_UNDER_WAY = 4;
/** Per server (RFC 9520 section 3.1). */
const MAX_SENT = 3;
const MAX_EXTRAS = 3;
/** Covers batches and scheduling. */
const MIN_HEDGE_MS = 5;

interface RaceTarget {
  /** Null: any. */
  readonly only: RaceServer | null;
  readonly intoLoops: boolean;
}

interface Attempt {
  readonly ticket: Ticket;
  readonly server: RaceServer;
  /** A resend may replace a lost query. */
  readonly extra: "hedge" | "resend" | null;
}

/**
 * The first good reply wins. Reusable.
 *
 * ```
 *  ask ──answer──────────────────────────────────► answered
 *     ├─ failed, refused or silent ─► next server ─► …
 *     ├─ its server is suspect ─► another one beside it
 *     └─ later than usual ─► another one beside it, within a budget
 * ```
 */
export class Race implements AskHandler {
  readonly inquiry = new Inquiry();
  /** Complete at the end. Read only. */
  asks = 0;
  /** Read only. */
  hedged = false;
  readonly #group: RaceGroup;
  readonly #handler: RaceHandler;
  readonly #timer: Timer;
  readonly #underWay: Attempt[] = [];
  readonly #refusers: RaceServer[] = [];
  readonly #sentTo: RaceServer[] = [];
  /** Have refused, or reached the send limit. */
  readonly #passedOver: RaceServer[] = [];
  #failure = new RaceFailure();
  #pausing = false;
  #streamed = false;
  #deadlineMs = 0;
  #extraMs = Infinity;
  #extras = 0;
  #hedging = false;
  #index = 0;
  #attempts = 0;
  #only: RaceServer | null = null;
  #worstRank: number = RANK.DOWN;

  constructor(group: RaceGroup, handler: RaceHandler) {
    this.#group = group;
    this.#handler = handler;
    this.#timer = group.engine.timers.create(() => this.#due());
  }

  /** `sinceMs`: the client's wait; `streamed`: TCP first. */
  start(
    sinceMs: number,
    streamed: boolean,
    { only, intoLoops }: RaceTarget = { only: null, intoLoops: false },
  ): void {
    const { order, engine, settings, hedges, resends } = this.#group;
    this.#failure = new RaceFailure();
    this.asks = 0;
    this.hedged = false;
    this.#pausing = false;
    this.#streamed = streamed;
    this.#only = only;
    this.#worstRank = intoLoops ? RANK.LOOPING : RANK.DOWN;
    this.#index = order.first(engine.nowMs);
    this.#attempts = 0;
    this.#refusers.length = 0;
    this.#sentTo.length = 0;
    this.#passedOver.length = 0;
    this.#extras = 0;
    this.#hedging = false;
    this.#extraMs = Infinity;
    this.#deadlineMs = sinceMs + Math.max(TOTAL_MS, settings.readTimeoutMs);
    hedges.earn();
    resends.earn();
    this.#tryNext();
  }

  ended(ticket: Ticket, outcome: Outcome): void {
    const index = this.#underWay.findIndex((attempt) => attempt.ticket === ticket);
    if (index < 0) return;
    const [attempt] = this.#underWay.splice(index, 1) as [Attempt];
    this.asks += ticket.sends;
    if (outcome.kind === "answer" || outcome.kind === "refused") {
      this.#replied(attempt, outcome);
      return;
    }
    const silent = outcome.kind === "silent";
    this.#failure.silent ||= silent;
    this.#failure.error = `${attempt.server.label}: ${silent ? "i/o timeout" : outcome.why}`;
    this.#afterFailure(attempt.server, silent);
  }

  suspected(ticket: Ticket): void {
    if (this.#only !== null || this.#hasHealthyAttempt() || !this.#mayAsk()) return;
    const attempt = this.#underWay.find((attempt) => attempt.ticket === ticket);
    if (attempt === undefined) return;
    const { engine, servers } = this.#group;
    const index = this.#healthyBeside(attempt.server);
    if (index < 0) return;
    this.#attempts++;
    this.#extraMs = engine.nowMs + servers[index]!.roundTrip.patienceMs;
    this.#ask(index);
    this.#schedule();
  }

  #replied({ ticket, server, extra }: Attempt, outcome: Outcome & { reply: Reply }): void {
    const { engine, resends } = this.#group;
    // A quick reply: the first query was lost.
    const tookMs = engine.nowMs - ticket.sinceMs;
    if (extra === "resend" && tookMs <= server.roundTrip.patienceMs) resends.giveBack();
    if (this.#isPassedOver(server, outcome)) {
      this.#noteError(outcome);
      this.#deadlineMs = Math.min(this.#deadlineMs, engine.nowMs + REFUSED_MS);
      for (const { ticket } of this.#underWay) ticket.limit(this.#deadlineMs);
      this.#afterFailure(server, false);
    } else if (outcome.kind === "refused" && this.#underWay.length > 0) {
      this.#noteError(outcome);
      this.#waitBriefly();
    } else {
      if (extra === "hedge") server.count("hedgesWon");
      this.#stop();
      this.#countLost(server);
      this.#handler.answered(outcome.reply, server);
    }
  }

  #noteError(outcome: Outcome & { reply: Reply }): void {
    const failure = this.#failure;
    failure.rcode = outcome.kind === "refused" ? outcome.rcode : outcome.reply.rcode;
    failure.extendedError = outcome.reply.readError(failure.errorText ??= new ErrorText());
  }

  #isPassedOver(server: RaceServer, outcome: Outcome & { reply: Reply }): boolean {
    const { servers, settings } = this.#group;
    const elsewhere = outcome.kind === "refused" && outcome.elsewhere;
    if (!elsewhere && !settings.failover.includes(outcome.reply.rcode)) return false;
    if (!this.#refusers.includes(server)) this.#refusers.push(server);
    this.#passOver(server);
    return this.#underWay.length > 0 || (this.#refusers.length < servers.length && this.#mayAsk());
  }

  #afterFailure(server: RaceServer, silent: boolean): void {
    const none = this.#underWay.length === 0;
    // A TCP client must not break a name if servers have only UDP.
    if (none) this.#streamed = false;
    const failsOver = silent || (!this.#hasHealthyAttempt() && this.#healthyBeside(server) >= 0);
    if (none || (failsOver && this.#mayAsk())) this.#tryNext();
    else this.#schedule();
  }

  #hasHealthyAttempt(): boolean {
    return this.#underWay.some(({ server }) => server.rank === RANK.WELL);
  }

  #healthyBeside(server: RaceServer): number {
    return this.#group.order.next(this.#index, [server, ...this.#passedOver], RANK.WELL);
  }

  #mayAsk(): boolean {
    const { settings, engine, servers } = this.#group;
    const limit = settings.maxConnectAttempts ?? 2 * servers.length;
    return engine.nowMs < this.#deadlineMs && this.#underWay.length < MAX_UNDER_WAY &&
      (limit === 0 || this.#attempts < limit);
  }

  #tryNext(): void {
    const { servers, settings, engine } = this.#group;
    let paused = this.#pausing;
    this.#pausing = false;
    while (this.#mayAsk()) {
      const unlimited = settings.maxConnectAttempts === 0;
      // Immediate failures would be a busy loop.
      if (unlimited && !paused && this.#attempts > 0 && this.#attempts % servers.length === 0) {
        this.#pausing = true;
        const dueMs = Math.min(engine.nowMs + PAUSE_MS, this.#deadlineMs);
        engine.timers.set(this.#timer, dueMs);
        return;
      }
      const index = this.#nextIndex();
      if (index < 0) break;
      this.#attempts++;
      paused = false;
      if (this.#ask(index)) {
        this.#schedule();
        return;
      }
    }
    if (this.#underWay.length > 0) {
      this.#schedule();
    } else {
      this.#stop();
      this.#countLost(null);
      this.#handler.failed(this.#failure);
    }
  }

  #nextIndex(): number {
    const group = this.#group;
    const { servers, order, engine } = group;
    if (this.#only !== null) return this.#sentTo.length > 0 ? -1 : servers.indexOf(this.#only);
    const index = order.next(this.#index, this.#passedOver, this.#worstRank);
    if (index < 0 || servers[index]!.rank !== RANK.DOWN) return index;
    let any = index;
    // Checks may be wrong: try one at random.
    if (this.#refusers.length === 0) {
      group.count("allDown");
      if (group.settings.failfastAllUnhealthyUpstreams) {
        this.#failure.error = "no healthy proxies";
        return -1;
      }
      any = order.next(engine.random() % servers.length, this.#passedOver, RANK.DOWN);
    }
    this.#deadlineMs = Math.min(this.#deadlineMs, engine.nowMs + ALL_DOWN_MS);
    return any;
  }

  #ask(
    index: number,
    limitMs = this.#deadlineMs,
    extra: Attempt["extra"] = null,
  ): boolean {
    const server = this.#group.servers[index]!;
    this.#index = index + 1;
    const again = this.#sentTo.includes(server);
    this.#sentTo.push(server);
    if (!this.#underSendLimit(server)) this.#passOver(server);
    if (this.#sentTo.length === 1) this.#planExtra(server, true);
    const asked = server.ask(this.inquiry, { streamed: this.#streamed, again, limitMs }, this);
    if ("kind" in asked) {
      if (asked.kind === "failed") this.#failure.error = `${server.label}: ${asked.why}`;
      return false;
    }
    this.#underWay.push({ ticket: asked, server, extra });
    return true;
  }

  #underSendLimit(server: RaceServer): boolean {
    if (this.#group.settings.maxConnectAttempts === 0) return true;
    let sends = 0;
    for (const one of this.#sentTo) if (one === server) sends++;
    return sends < MAX_SENT;
  }

  #passOver(server: RaceServer): void {
    if (!this.#passedOver.includes(server)) this.#passedOver.push(server);
  }

  /** May have been taken out. */
  #mayRepeat(server: RaceServer): boolean {
    return server.rank <= this.#worstRank && !this.#passedOver.includes(server);
  }

  #waitBriefly(): void {
    const { nowMs } = this.#group.engine;
    for (const { ticket, server } of this.#underWay) {
      const limitMs = nowMs + server.roundTrip.patienceMs;
      ticket.limit(limitMs);
      this.#deadlineMs = Math.min(this.#deadlineMs, limitMs);
    }
    this.#schedule();
  }

  #due(): void {
    if (this.#pausing) this.#tryNext();
    else if (this.#group.engine.nowMs >= this.#extraMs) {
      this.#askExtra();
      this.#schedule();
    }
  }

  #planExtra(server: RaceServer, first: boolean): void {
    const { settings, engine, servers } = this.#group;
    this.#hedging = first && settings.hedgeMs !== null && servers.length > 1;
    const waitMs = !this.#hedging
      ? server.roundTrip.patienceMs
      : settings.hedgeMs === "auto"
      ? Math.max(server.roundTrip.usualMs, MIN_HEDGE_MS)
      : settings.hedgeMs!;
    this.#extraMs = engine.nowMs + waitMs;
  }

  #askExtra(): void {
    const group = this.#group;
    const { engine: { nowMs }, servers, hedges, resends } = group;
    this.#extraMs = Infinity;
    const newest = this.#underWay.at(-1);
    if (newest === undefined || this.#only !== null) return;
    if (this.#underWay.length >= MAX_UNDER_WAY) return;
    const { ticket, server } = newest;
    // At the time limit, the failure asks again.
    if (ticket.dueMs <= nowMs || nowMs >= this.#deadlineMs || this.#extras >= MAX_EXTRAS) return;
    const { patienceMs } = server.roundTrip;
    if (!this.#hedging && ticket.sinceMs + patienceMs > nowMs) {
      // Waiting for a socket or connection.
      this.#extraMs = Math.min(ticket.sinceMs, nowMs) + patienceMs;
      return;
    }
    const other = this.#healthyBeside(server);
    if (this.#hedging) {
      if (other >= 0 && hedges.spend(nowMs)) {
        group.count("hedge");
        servers[other]!.count("hedges");
        this.hedged = true;
        this.#extras++;
        this.#ask(other, this.#deadlineMs, "hedge");
      }
      this.#planExtra(server, false);
      return;
    }
    // The same server if alone, unless over a stream.
    const index = other >= 0 || ticket.streamed || !this.#mayRepeat(server)
      ? other
      : servers.indexOf(server);
    if (index < 0 || !resends.spend(nowMs)) return;
    group.count("resend");
    servers[index]!.count("resends");
    this.#extras++;
    this.#extraMs = nowMs + servers[index]!.roundTrip.patienceMs * 2 ** this.#extras;
    this.#ask(index, ticket.dueMs, "resend");
  }

  #countLost(winner: RaceServer | null): void {
    const sentTo = this.#sentTo;
    for (let i = 0; i < sentTo.length; i++) {
      const server = sentTo[i]!;
      if (server === winner || sentTo.indexOf(server) < i) continue;
      server.lost(this.#handler.clientQueries, winner !== null);
    }
  }

  #schedule(): void {
    const { timers } = this.#group.engine;
    if (this.#extraMs < Infinity) timers.set(this.#timer, this.#extraMs);
    else timers.clear(this.#timer);
  }

  #stop(): void {
    for (let last = this.#underWay.pop(); last !== undefined; last = this.#underWay.pop()) {
      this.asks += last.ticket.sends;
      last.ticket.cancel();
    }
    this.#group.engine.timers.clear(this.#timer);
  }
}
