import { Address } from "../dns/address.ts";
import { CLIENT_BUCKETS, type Exchange } from "./exchange/exchange.ts";
import type { EngineServices } from "./handler.ts";

/**
 * Bounds of `InFlight`. 8,192 questions: waiting exchanges (6,144) run out first. A chain of 16
 * is exceeded once in 10^10 fillings (Poisson, mean 1). `waitsPerClient`, per question and
 * bucket, bounds bursts to one address; programs that start together stay below it.
 */
export const IN_FLIGHT = { questions: 8192, waiters: 4096, chain: 16, waitsPerClient: 64 } as const;

const FIRST_BUCKETS = 64;

/** The label `reason`, and the error log's text. */
const REFUSALS = {
  questions: "too many questions are in flight",
  chain: "too many questions in flight fall into one hash bucket",
  waiters: "too many queries wait for this question",
  client: "the client waits for this question too often already",
} as const;
type Refusal = keyof typeof REFUSALS;

/** A reused question in flight with its waiters. */
export abstract class PendingQuestion {
  hash = 0;
  nextInBucket: PendingQuestion | null = null;
  /** Chained by `Exchange.nextWaiter`. */
  waiters: Exchange | null = null;
  waiterCount = 0;
  /** By client bucket; null while few. */
  waits: Uint8Array | null = null;

  abstract asksFor(exchange: Exchange): boolean;
}

/**
 * Questions in flight; equal queries share the answer. Allocates nothing at its working size. A
 * stranger in a client's bucket can exhaust its waits for a question with 64 queries.
 */
export class InFlight<T extends PendingQuestion> {
  /** For the error log. */
  refusal = "";
  size = 0;

  readonly #engine: EngineServices;
  readonly #refused: ReadonlyMap<Refusal, number>;
  readonly #spareWaits: Uint8Array[] = [];
  readonly #client = new Address();
  readonly #local = new Address();
  #buckets: (PendingQuestion | null)[] = new Array(FIRST_BUCKETS).fill(null);

  constructor(engine: EngineServices, table: "forward" | "verify") {
    const counter = (reason: string) =>
      engine.counter("nodens_in_flight_refused_total", { table, reason });
    const reasons = Object.keys(REFUSALS) as Refusal[];
    this.#engine = engine;
    this.#refused = new Map(reasons.map((reason) => [reason, counter(reason)]));
  }

  find(exchange: Exchange, hash: number): T | null {
    let question = this.#first(hash);
    for (; question !== null; question = question.nextInBucket) {
      if (question.hash === hash && question.asksFor(exchange)) return question as T;
    }
    return null;
  }

  /** Parks a waiter; false if refused. */
  join(question: T, exchange: Exchange): boolean {
    if (question.waiterCount >= IN_FLIGHT.waiters) return this.#refuse("waiters");
    if (!this.#mayWait(question, exchange)) return this.#refuse("client");
    const parked = this.#park(exchange);
    if (parked === null) return false;
    // The first to ask stays first.
    const first = question.waiters!;
    parked.nextWaiter = first.nextWaiter;
    first.nextWaiter = parked;
    question.waiterCount++;
    if (question.waits !== null) countWait(question.waits, parked);
    return true;
  }

  /** Null if refused. */
  begin(question: T, exchange: Exchange, hash: number): Exchange | null {
    const parked = this.#hasRoom(hash) ? this.#park(exchange) : null;
    if (parked === null) return null;
    if (this.size >= this.#buckets.length) this.#grow();
    this.size++;
    question.hash = hash;
    question.waiters = parked;
    question.waiterCount = 1;
    this.#link(question);
    return parked;
  }

  /** Returns the question's waiters. */
  end(question: T): Exchange | null {
    this.#unlink(question);
    this.size--;
    if (question.waits !== null) {
      question.waits.fill(0);
      this.#spareWaits.push(question.waits);
      question.waits = null;
    }
    const { waiters } = question;
    question.waiters = null;
    question.waiterCount = 0;
    return waiters;
  }

  #hasRoom(hash: number): boolean {
    if (this.size >= IN_FLIGHT.questions) return this.#refuse("questions");
    let length = 0;
    let other = this.#first(hash);
    for (; other !== null; other = other.nextInBucket) length++;
    return length < IN_FLIGHT.chain || this.#refuse("chain");
  }

  #mayWait(question: T, exchange: Exchange): boolean {
    if (question.waiterCount < IN_FLIGHT.waitsPerClient || exchange.internal) return true;
    const client = this.#engine.clientBucket(exchange);
    question.waits ??= this.#countWaits(question);
    return question.waits[client]! < IN_FLIGHT.waitsPerClient || this.#isOfThisHost(exchange);
  }

  /** From or to loopback, or between equal addresses: other machines cannot. */
  #isOfThisHost(exchange: Exchange): boolean {
    this.#engine.clientAddress(exchange, this.#client);
    this.#engine.localAddress(exchange, this.#local);
    return this.#client.isLoopback || this.#local.isLoopback || this.#client.sameHost(this.#local);
  }

  #countWaits(question: T): Uint8Array {
    const waits = this.#spareWaits.pop() ?? new Uint8Array(CLIENT_BUCKETS);
    for (let waiter = question.waiters; waiter !== null; waiter = waiter.nextWaiter) {
      countWait(waits, waiter);
    }
    return waits;
  }

  #park(exchange: Exchange): Exchange | null {
    const parked = this.#engine.park(exchange);
    if (parked === null) this.refusal = "too many queries are waiting";
    return parked;
  }

  #refuse(reason: Refusal): false {
    this.#engine.values[this.#refused.get(reason)!]!++;
    this.refusal = REFUSALS[reason];
    return false;
  }

  #first(hash: number): PendingQuestion | null {
    return this.#buckets[this.#bucketOf(hash)]!;
  }

  #bucketOf(hash: number): number {
    return hash & (this.#buckets.length - 1);
  }

  #link(question: PendingQuestion): void {
    const bucket = this.#bucketOf(question.hash);
    question.nextInBucket = this.#buckets[bucket]!;
    this.#buckets[bucket] = question;
  }

  #unlink(question: PendingQuestion): void {
    const bucket = this.#bucketOf(question.hash);
    let before = this.#buckets[bucket]!;
    if (before === question) {
      this.#buckets[bucket] = question.nextInBucket;
    } else {
      while (before.nextInBucket !== question) before = before.nextInBucket!;
      before.nextInBucket = question.nextInBucket;
    }
    question.nextInBucket = null;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = new Array(2 * old.length).fill(null);
    for (const first of old) {
      for (let question = first; question !== null;) {
        const next: PendingQuestion | null = question.nextInBucket;
        this.#link(question);
        question = next;
      }
    }
  }
}

/** Unchains the waiters of `InFlight.end`; `use` may reuse them. */
export function forEachWaiter(first: Exchange | null, use: (waiter: Exchange) => void): void {
  for (let waiter = first; waiter !== null;) {
    const next: Exchange | null = waiter.nextWaiter;
    waiter.nextWaiter = null;
    use(waiter);
    waiter = next;
  }
}

function countWait(waits: Uint8Array, { client, internal }: Exchange): void {
  if (!internal && waits[client]! < IN_FLIGHT.waitsPerClient) waits[client]!++;
}
