import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import {
  type CreateHandler,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  WAIT,
} from "../../engine/handler.ts";
import { type MessageRecord, readRecords, writeRecords } from "../../engine/response/records.ts";
import type { Response } from "../../engine/response/response.ts";
import type { Dns64Options } from "./setup.ts";

/** TTL of synthesized records without an SOA (RFC 6147 section 5.1.7). */
const DEFAULT_TTL_SECONDS = 600;
/** ::ffff:0:0/96, never given to clients (RFC 6147 section 5.1.4). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Creates a `dns64` handler. */
export const createDns64: CreateHandler<Dns64Options> = (options, environment) =>
  new Dns64Handler(options, environment);

class Dns64Handler implements Handler {
  readonly name = "dns64";
  readonly #options: Dns64Options;
  readonly #engine: EngineServices;
  readonly #subqueries: Subqueries;
  readonly #translated: number;

  constructor(options: Dns64Options, { engine, position }: HandlerEnvironment) {
    this.#options = options;
    this.#engine = engine;
    this.#subqueries = new Subqueries(engine, position);
    this.#translated = engine.counter("coredns_dns64_requests_translated_total");
  }

  response(exchange: Exchange): typeof WAIT | void {
    if (this.#subqueries.receive(exchange) || !this.#mayTranslate(exchange)) return;
    const { response } = exchange;
    // The name has no A records either (RFC 6147 section 5.1.2).
    if (response === null || response.rcode === RCODE.NXDOMAIN) return;
    const records = readRecords(response);
    if (records === null) return;
    if (!this.#options.translateAll && records.some(isUsable)) return;
    const ttlSeconds =
      records.find(({ section, type }) => section === "authority" && type === TYPE.SOA)
        ?.ttlSeconds ?? DEFAULT_TTL_SECONDS;

    let done = false;
    let parked: Exchange | null = null;
    // Copied: memory of unparked exchanges may be reused.
    const { memory, offset, qnameLength } = exchange;
    const at = offset + HEADER_SIZE;
    const name = memory.bytes.slice(at, at + qnameLength);
    let synthesized: { found: MessageRecord[]; rcode: number; flags: number } | null = null;
    this.#subqueries.ask(exchange, name, TYPE.A, (found) => {
      done = true;
      const all = found === null ? null : readRecords(found);
      if (all !== null) synthesized = { found: all, rcode: found!.rcode, flags: found!.flags };
      if (parked === null) return;
      parked.response = this.#write(parked, synthesized, ttlSeconds);
      this.#engine.rise(parked);
    });
    if (done) {
      exchange.response = this.#write(exchange, synthesized, ttlSeconds);
      return;
    }
    parked = this.#engine.park(exchange);
    if (parked !== null) return WAIT;
    exchange.response = this.#write(exchange, null, ttlSeconds);
  }

  #mayTranslate(exchange: Exchange): boolean {
    if (exchange.qtype !== TYPE.AAAA || exchange.qclass !== CLASS.IN) return false;
    if (exchange.internal) return false;
    // A validating client wants the original data (RFC 6147 section 5.5).
    if (exchange.dnssecOk && exchange.checkingDisabled) return false;
    return this.#options.allowIpv4 || this.#engine.clientFamily(exchange) === 6;
  }

  /** SERVFAIL without an A response. */
  #write(
    exchange: Exchange,
    answer: { found: readonly MessageRecord[]; rcode: number; flags: number } | null,
    ttlSeconds: number,
  ): Response {
    if (answer === null) {
      exchange.error = "dns64: the A records cannot be resolved";
      return this.#engine.failure(exchange, RCODE.SERVFAIL);
    }
    this.#engine.values[this.#translated]!++;
    const { writer } = this.#engine;
    writer.begin(exchange, answer.rcode, answer.flags & (FLAG.AA | FLAG.TC));
    const records = answer.found.map((record) =>
      record.section === "answer" && record.type === TYPE.A
        ? {
          ...record,
          type: TYPE.AAAA,
          ttlSeconds: Math.min(record.ttlSeconds, ttlSeconds),
          data: embed(this.#options.prefix, record.data),
        }
        : record
    );
    return writeRecords(writer, exchange, records);
  }
}

function isUsable({ section, type, data }: MessageRecord): boolean {
  return section === "answer" && type === TYPE.AAAA &&
    !MAPPED.every((octet, i) => data[i] === octet);
}

/** Bits 64 to 71 stay zero (RFC 6052 section 2.2). */
function embed(prefix: readonly number[], address: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  octets.set(prefix);
  let at = prefix.length;
  for (const octet of address) {
    if (at === 8) at++;
    octets[at++] = octet;
  }
  return octets;
}
