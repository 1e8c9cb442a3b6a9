import { EDE, FLAG, RCODE, TYPE } from "../../../dns/constants.ts";
import { KIND } from "../../../dns/response_scan.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../../engine/handler.ts";
import { Memory } from "../../../engine/memory.ts";
import { type MessageRecord, readRecords, writeRecords } from "../../../engine/response/records.ts";
import { Response } from "../../../engine/response/response.ts";
import { ResponseRewriter } from "../../../engine/response/rewriter.ts";
import type { CacheContent } from "../content.ts";

/** Of the TTL, when a denial in use is refreshed; at least a second. */
const REFRESH_SHARE = 0.1;
/** Reading costs ten times the rest of an answer. */
const READ_DENIALS = 64;

/** SOA record of a denial; null without exactly one. */
interface ReadDenial {
  readonly hash: number;
  readonly storedAt: number;
  readonly soa: readonly MessageRecord[] | null;
}

/** Denials as answers for names below. */
export class Denials {
  readonly #content: CacheContent;
  readonly #engine: EngineServices;
  readonly #denial = new Response(new Memory(8));
  readonly #answer = new Response(new Memory(8));
  readonly #rewriter = new ResponseRewriter();
  readonly #read = new Array<ReadDenial | null>(READ_DENIALS).fill(null);
  #hash = 0;
  #storedAt = 0;
  #ageSeconds = 0;
  /** Of `find`. */
  isDue = false;

  constructor(content: CacheContent, engine: EngineServices) {
    this.#content = content;
    this.#engine = engine;
  }

  /** Seconds left of the name's denial; 0 for none. */
  find(question: Exchange, now: number): number {
    const { denial, prefersPositive } = this.#content;
    const row = denial.find(question, now);
    // An alias exists, whatever its target.
    if (row < 0 || denial.rcodeOf(row) !== RCODE.NXDOMAIN || denial.hasAnswer(row)) return 0;
    if (prefersPositive && this.#content.hasPositive(question, now)) return 0;
    const remaining = Math.max(0, denial.remaining(row, now));
    this.isDue = remaining <= Math.max(1, REFRESH_SHARE * denial.ttlOf(row));
    denial.read(row, this.#denial);
    this.#ageSeconds = denial.ageOf(row, now);
    this.#hash = question.hash;
    this.#storedAt = now - denial.tenthsOld(row, now);
    return remaining;
  }

  /** Answers with the SOA record of the found denial; stores the answer. */
  answer(exchange: Exchange, remaining: number, now: number): boolean {
    const soa = this.#soa();
    if (soa === null) return false;
    const { writer } = this.#engine;
    writer.begin(exchange, RCODE.NXDOMAIN, FLAG.AA);
    // The writer reuses its response.
    const response = Object.assign(this.#answer, writeRecords(writer, exchange, soa));
    this.#rewriter.compress(response, exchange.qnameLength);
    response.kind = KIND.NXDOMAIN;
    response.ttlSeconds = remaining;
    // The next query for it is a hit.
    this.#engine.clientBucket(exchange);
    this.#content.denial.insert(exchange, response, response.flags, remaining, now);
    response.cached = true;
    response.ageSeconds = this.#ageSeconds;
    exchange.response = response;
    exchange.extendedError = EDE.SYNTHESIZED;
    return true;
  }

  #soa(): ReadDenial["soa"] {
    const slot = this.#hash & (READ_DENIALS - 1);
    const known = this.#read[slot] ?? null;
    if (known !== null && known.hash === this.#hash && known.storedAt === this.#storedAt) {
      return known.soa;
    }
    const found = readRecords(this.#denial)?.filter(({ section, type }) =>
      section === "authority" && type === TYPE.SOA
    );
    const soa = found?.length === 1 ? found : null;
    this.#read[slot] = { hash: this.#hash, storedAt: this.#storedAt, soa };
    return soa;
  }
}
