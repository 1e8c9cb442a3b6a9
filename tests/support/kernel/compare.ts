import { RCODE } from "../../../src/dns/constants.ts";
import { readName, TTLS } from "./answers.ts";
import type { Asker } from "./asker.ts";
import { type FuzzedName, fuzzedQuery } from "./fuzzed_query.ts";
import { AA, type Allowance, difference } from "./same_answer.ts";

/** Two servers, asked by clients of their own; the lists are of the same length. */
export interface Compared {
  readonly kernel: readonly Asker[];
  readonly userland: readonly Asker[];
}

/** What came of a comparison. */
export interface Outcome {
  asked: number;
  equal: number;
  /** Neither answered. */
  silent: number;
  /** Answers equal but for AA, which the reference's has: it has known the answer for longer. */
  raced: number;
  /** Answers that did not come at first, as when a buffer of the kernel is full. */
  askedAgain: number;
  /** Descriptions, at most `SHOWN`. */
  differences: string[];
  different: number;
}

interface Pair {
  readonly bytes: Uint8Array;
  readonly relaxed: boolean;
  readonly slot: number;
  answers: [Uint8Array | null, Uint8Array | null];
  tries: number;
  sentMs: number;
}

const SHOWN = 10;
/** Queries of a client without an answer; more would fill buffers of sockets. */
const WINDOW = 24;
/** Both are silent after this time; one alone gets the query again. */
const SILENCE_MS = 400;
/** How often a query is sent to a server that is silent or fails alone. */
const TRIES = 16;
const SERVFAIL = RCODE.SERVFAIL;
const CHECK_MS = 50;

/** Sends the same queries to two servers, and compares the answers. */
export class Comparison {
  readonly outcome: Outcome = {
    asked: 0,
    equal: 0,
    silent: 0,
    raced: 0,
    askedAgain: 0,
    differences: [],
    different: 0,
  };
  readonly #compared: Compared;
  readonly #names: readonly FuzzedName[];
  readonly #dice: () => number;
  readonly #evicts: boolean;
  readonly #pairs = new Map<number, Pair>();
  readonly #inFlight: number[];
  #nextId = 0;
  #wake: () => void = () => {};

  /** `evicts`: entries are evicted, by each server's own choice, so that TTLs differ. */
  constructor(
    compared: Compared,
    names: readonly FuzzedName[],
    { dice, evicts }: { dice: () => number; evicts: boolean },
  ) {
    this.#evicts = evicts;
    this.#compared = compared;
    this.#names = names;
    this.#dice = dice;
    this.#inFlight = compared.kernel.map(() => 0);
  }

  /**
   * Asks `count` queries and waits for their answers. With `relaxed`, TTLs are not compared, since
   * something happens meanwhile.
   */
  async run(count: number, { relaxed = this.#evicts }: { relaxed?: boolean } = {}): Promise<void> {
    const timer = setInterval(() => this.#check(), CHECK_MS);
    try {
      for (let i = 0; i < count; i++) await this.#ask(relaxed);
      while (this.#pairs.size > 0) await this.#change();
    } finally {
      clearInterval(timer);
    }
  }

  async #ask(relaxed: boolean): Promise<void> {
    while (this.#inFlight.every((pending) => pending >= WINDOW)) await this.#change();
    do this.#nextId = this.#nextId + 1 & 0xffff; while (this.#pairs.has(this.#nextId));
    const id = this.#nextId;
    let slot = this.#dice() % this.#inFlight.length;
    while (this.#inFlight[slot]! >= WINDOW) slot = (slot + 1) % this.#inFlight.length;
    const bytes = fuzzedQuery(id, this.#names, this.#dice);
    // Nothing shorter has an id; nobody answers it.
    if (bytes.length < 2) return;
    const pair: Pair = { bytes, relaxed, slot, answers: [null, null], tries: 0, sentMs: 0 };
    this.outcome.asked++;
    this.#pairs.set(id, pair);
    this.#inFlight[slot]!++;
    await Promise.all([this.#send(id, pair, 0), this.#send(id, pair, 1)]);
  }

  async #send(id: number, pair: Pair, side: 0 | 1): Promise<void> {
    pair.sentMs = performance.now();
    const { kernel, userland } = this.#compared;
    await (side === 0 ? kernel : userland)[pair.slot]!.send(pair.bytes, (answer) => {
      // It has lost what its upstream answered, and asks again in a second or two.
      const other = pair.answers[1 - side];
      const failsAlone = rcode(answer) === SERVFAIL && readKind(pair.bytes).kind !== "f" &&
        !(other && rcode(other) === SERVFAIL);
      if (failsAlone && pair.tries < TRIES) return;
      pair.answers[side] = answer;
      if (pair.answers[1 - side] !== null) this.#end(id, pair);
    });
  }

  /** Ends what is silent. */
  #check(): void {
    const nowMs = performance.now();
    for (const [id, pair] of this.#pairs) {
      if (nowMs - pair.sentMs < SILENCE_MS) continue;
      const missing = pair.answers.indexOf(null) as 0 | 1;
      const bothSilent = pair.answers.every((answer) => answer === null);
      if (bothSilent && pair.tries > 0 || pair.tries === TRIES) this.#end(id, pair);
      else {
        pair.tries++;
        if (!bothSilent) this.outcome.askedAgain++;
        void this.#send(id, pair, missing);
        if (bothSilent) void this.#send(id, pair, 1);
      }
    }
    this.#wake();
  }

  #end(id: number, pair: Pair): void {
    if (this.#pairs.get(id) !== pair) return;
    this.#pairs.delete(id);
    this.#inFlight[pair.slot]!--;
    this.#compared.kernel[pair.slot]!.forget(id);
    this.#compared.userland[pair.slot]!.forget(id);
    this.#judge(pair);
    this.#wake();
  }

  #judge({ bytes, relaxed, answers: [kernel, userland] }: Pair): void {
    const { outcome } = this;
    if (kernel === null && userland === null) {
      outcome.silent++;
      return;
    }
    let what: string;
    if (kernel === null || userland === null) {
      what = `only ${kernel === null ? "the reference" : "the one with kernel hits"} answers`;
    } else {
      // How long a failure is stored, which shows in its options, depends on the moment.
      const fails = rcode(kernel) === SERVFAIL || rcode(kernel) === RCODE.REFUSED;
      const allowance = fails ? { headOnly: true } : allowanceFor(bytes, relaxed);
      what = difference(kernel, userland, allowance);
      if (what !== "" && difference(kernel, userland, { ...allowance, authority: true }) === "") {
        if ((kernel[2]! & AA) === 0) outcome.raced++;
        return;
      }
    }
    if (what === "") {
      outcome.equal++;
      return;
    }
    outcome.different++;
    if (outcome.differences.length === SHOWN) return;
    const text = (message: Uint8Array | null) => message === null ? "nothing" : hex(message);
    outcome.differences.push(
      `${what}\n  query     ${hex(bytes)}\n  kernel    ${text(kernel)}\n  reference ${
        text(userland)
      }`,
    );
  }

  #change(): Promise<void> {
    return new Promise((wake) => this.#wake = wake);
  }
}

function allowanceFor(query: Uint8Array, relaxed: boolean): Allowance {
  // A query may have been changed to that of another kind.
  const { kind, ttl } = readKind(query);
  // One may have refreshed a short-lived entry just before the other.
  const steady = !relaxed && ttl === TTLS.l;
  return { whole: kind === "w", ...(steady ? { ttlSeconds: 1 } : {}) };
}

function readKind(query: Uint8Array): ReturnType<typeof readName> {
  const label = query.subarray(13, 13 + (query[12] ?? 0));
  return readName(String.fromCharCode(...label).toLowerCase());
}

function rcode(message: Uint8Array): number {
  return message[3]! & 15;
}

function hex(message: Uint8Array): string {
  return Array.from(message, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
