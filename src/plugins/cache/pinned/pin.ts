import { RCODE } from "../../../dns/constants.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type { CacheContent } from "../content.ts";
import type { Store } from "../store/store.ts";

/** Values of the label `state`. */
export const PIN_STATES = ["fresh", "stale", "missing"] as const;

/** Share of the TTL left at a refresh; drawn, to spread refreshes. */
const LEAD = { least: 0.1, more: 0.05, minSeconds: 1, maxSeconds: 60 } as const;
/** Doubled by each failure; drawn from the upper half. */
const PAUSE_MS = { first: 1000, most: 60_000 } as const;

/** A question with a kept entry. */
export class Pin {
  readonly question: Exchange;
  /** `example.org. A`. */
  readonly text: string;
  /** "missing" also if the name does not exist. */
  state: typeof PIN_STATES[number] = "missing";
  asked = false;
  /** End of the query in flight; 0 for none. */
  untilMs = 0;
  #remaining = 0;
  #leadSeconds = 0;
  #lead: number = LEAD.least;
  #pauseMs = 0;
  #nextMs = 0;
  #pinned = false;

  constructor(question: Exchange, text: string) {
    this.question = question;
    this.text = text;
  }

  get isDue(): boolean {
    return this.#remaining <= this.#leadSeconds;
  }

  mayAsk(nowMs: number): boolean {
    return this.untilMs === 0 && this.isDue && nowMs >= this.#nextMs;
  }

  /** @param draw - in [0, 1) */
  begin(untilMs: number, draw: number): void {
    this.asked = true;
    this.untilMs = untilMs;
    this.#lead = LEAD.least + LEAD.more * draw;
  }

  /** An entry that may be evicted is not asked for early. */
  succeed(nowMs: number): void {
    this.#pauseMs = 0;
    this.#nextMs = this.#pinned ? 0 : nowMs + 1000 * (this.#remaining - this.#leadSeconds);
  }

  retry(): void {
    this.#pauseMs = 0;
    this.#nextMs = 0;
  }

  /** @param draw - in [0, 1) */
  fail(nowMs: number, draw: number): void {
    this.#pauseMs = Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.first, 2 * this.#pauseMs));
    this.#nextMs = nowMs + this.#pauseMs * (1 + draw) / 2;
  }

  /** Finds and pins the entry. */
  judge(content: CacheContent, now: number): void {
    const { success, denial } = content;
    const answer = success.find(this.question, now);
    const denied = denial.find(this.question, now);
    const isAnswer = answer >= 0 && success.hasAnswer(answer);
    // The newer counts (`serve_stale_policy`).
    const newer = denied < 0 ||
      (isAnswer && success.tenthsOld(answer, now) < denial.tenthsOld(denied, now));
    if (isAnswer && newer) {
      if (denied >= 0) denial.unpin(denied);
      this.#take(success, answer, now);
    } else if (denied >= 0) {
      if (answer >= 0) success.unpin(answer);
      this.#take(denial, denied, now);
    } else {
      // Not evicted, so flushed.
      if (this.#pinned) this.retry();
      this.#pinned = false;
      this.state = "missing";
      this.#remaining = this.#leadSeconds = 0;
    }
  }

  #take(store: Store, row: number, now: number): void {
    this.#pinned = store.pin(row);
    this.#remaining = store.remaining(row, now);
    const lead = Math.min(LEAD.maxSeconds, this.#lead * store.ttlOf(row));
    this.#leadSeconds = Math.max(LEAD.minSeconds, lead);
    if (store.rcodeOf(row) === RCODE.NXDOMAIN) this.state = "missing";
    else this.state = this.#remaining > 0 ? "fresh" : "stale";
  }
}
