import { CLASS, TYPE } from "../../../dns/constants.ts";
import type { Chain, Exchange } from "../../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../../engine/handler.ts";
import { internalQuery } from "../../../engine/internal_query.ts";
import { readStoredQuestion } from "../../../engine/question/read.ts";
import type { Timer } from "../../../engine/timers.ts";
import type { Flushes } from "../flush/flushes.ts";
import { isSameQuestion } from "../question.ts";

/** A flood of junk adds no more load. */
const BUDGET = { perSecond: 10, burst: 100 } as const;
const MAX_IN_FLIGHT = 16;
/** Some queries never end. */
const LIMIT_MS = 10_000;

/** "exists": it or names below. */
export type Finding = "denied" | "exists" | "failed";

interface Probe {
  readonly question: Exchange;
  readonly untilMs: number;
  readonly found: (finding: Finding, question: Exchange) => void;
}

/** Queries for A, without DO and CD. They begin with the next turn of the loop. */
export class Probes {
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #flushes: Flushes;
  readonly #timer: Timer;
  #chain: Chain | undefined;
  #listener = 0;
  #probes: Probe[] = [];
  #unsent: Probe[] = [];
  #budget: number = BUDGET.burst;
  #refilledMs: number;

  constructor(
    engine: EngineServices,
    { position, flushes }: { position: number; flushes: Flushes },
  ) {
    this.#engine = engine;
    this.#position = position;
    this.#flushes = flushes;
    this.#refilledMs = engine.nowMs;
    this.#timer = engine.timers.create(() => this.#send());
  }

  join(chain: Chain, listener: number): void {
    this.#chain = chain;
    this.#listener = listener;
  }

  stop(): void {
    this.#engine.timers.clear(this.#timer);
    this.#probes = [];
    this.#unsent = [];
  }

  /** False if there are too many, or it is asked. */
  begin(name: Uint8Array, found: Probe["found"]): boolean {
    const { nowMs, timers, hashKey } = this.#engine;
    if (this.#chain === undefined) return false;
    this.#expire(nowMs);
    const passed = Math.max(0, nowMs - this.#refilledMs) / 1000;
    this.#budget = Math.min(BUDGET.burst, this.#budget + passed * BUDGET.perSecond);
    this.#refilledMs = nowMs;
    if (this.#budget < 1 || this.#probes.length >= MAX_IN_FLIGHT) return false;
    const question = internalQuery(this.#chain, { name, qtype: TYPE.A, qclass: CLASS.IN });
    question.listener = this.#listener;
    question.client = 0;
    question.receivedMs = nowMs;
    if (!readStoredQuestion(question, hashKey)) return false;
    if (this.#probes.some((other) => isSameQuestion(other.question, question))) return false;
    this.#budget--;
    const probe = { question, untilMs: nowMs + LIMIT_MS, found };
    this.#probes.push(probe);
    this.#unsent.push(probe);
    // An immediate answer would overwrite the response.
    timers.set(this.#timer, nowMs);
    return true;
  }

  /** After each response. */
  concluded(exchange: Exchange, finding: Finding): void {
    if (this.#probes.length === 0) return;
    const at = this.#probes.findIndex(({ question }) => isSameQuestion(question, exchange));
    if (at < 0 || (finding === "failed" && !exchange.internal)) return;
    const [probe] = this.#probes.splice(at, 1);
    probe!.found(finding, probe!.question);
  }

  #send(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const probe of unsent) {
      if (!this.#probes.includes(probe)) continue;
      probe.question.generation = this.#flushes.generation;
      if (this.#engine.askBelow(probe.question, this.#position)) continue;
      this.#probes = this.#probes.filter((other) => other !== probe);
      probe.found("failed", probe.question);
    }
  }

  #expire(nowMs: number): void {
    const late = this.#probes.filter(({ untilMs }) => untilMs <= nowMs);
    if (late.length === 0) return;
    this.#probes = this.#probes.filter(({ untilMs }) => untilMs > nowMs);
    for (const { found, question } of late) found("failed", question);
  }
}
