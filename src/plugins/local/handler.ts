import { CLASS, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import { sameName } from "../../engine/question/fold.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import type { LocalOptions } from "./setup.ts";

/** A week: none of this ever changes. The number is CoreDNS's. */
const TTL_SECONDS = 604_800;
const LOCALHOST = parseName("localhost.");
/** The label alone, with its length. */
const LOCALHOST_LABEL = LOCALHOST.subarray(0, LOCALHOST.length - 1);
const MAILBOX = parseName("root.localhost.");
const LOOPBACK = parseName("1.0.0.127.in-addr.arpa.");
const LOOPBACK_4 = Uint8Array.from([127, 0, 0, 1]);
const LOOPBACK_6 = Uint8Array.from({ length: 16 }, (_, i) => i === 15 ? 1 : 0);
/** Zones that never leave a host (RFC 6761 sections 6.1 and 6.3, RFC 6303 section 4.2). */
const ZONES = ["localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa."];

/** Makes the handler of a `local` directive. */
export const createLocal: CreateHandler<LocalOptions> = (options, { engine }) =>
  new LocalHandler(options, engine);

/** Answers for names that never leave a host: localhost and its reverse zones. */
class LocalHandler implements Handler {
  readonly name = "local";
  readonly #engine: EngineServices;
  readonly #zones = new ZoneTable(ZONES.map((zone) => {
    const name = parseName(zone);
    return [zone, { name, localhost: zone === "localhost." }];
  }));
  readonly #prefix: boolean;

  constructor({ localhostPrefix }: LocalOptions, engine: EngineServices) {
    this.#prefix = localhostPrefix;
    this.#engine = engine;
  }

  query(exchange: Exchange): Verdict {
    if (exchange.qclass !== CLASS.IN) return NEXT;
    const zone = this.#zones.match(exchange);
    // Every name at or below localhost is this host (RFC 6761 section 6.3).
    if (zone?.localhost === true || (this.#prefix && beginsWithLocalhost(exchange))) {
      return this.#answerLocalhost(exchange);
    }
    if (zone === null) return NEXT;
    const isZone = exchange.qnameLength === zone.name.length;
    const { qtype } = exchange;
    if (isZone && qtype === TYPE.SOA) return this.#soa(exchange, "answer", null);
    if (isZone && qtype === TYPE.NS) return this.#name(exchange, TYPE.NS);
    const isLoopback = is(exchange, LOOPBACK);
    if (isLoopback && qtype === TYPE.PTR) return this.#name(exchange, TYPE.PTR);
    const rcode = isZone || isLoopback ? RCODE.NOERROR : RCODE.NXDOMAIN;
    return this.#soa(exchange, "authority", zone.name, rcode);
  }

  #answerLocalhost(exchange: Exchange): Verdict {
    const { qtype } = exchange;
    if (qtype === TYPE.A || qtype === TYPE.AAAA) {
      const address = qtype === TYPE.A ? LOOPBACK_4 : LOOPBACK_6;
      const writer = this.#engine.writer.begin(exchange, RCODE.NOERROR);
      writer.record("answer", null, qtype, CLASS.IN, TTL_SECONDS).raw(address, 0, address.length);
      exchange.response = writer.end();
      return ANSWERED;
    }
    const isZone = is(exchange, LOCALHOST);
    if (isZone && qtype === TYPE.SOA) return this.#soa(exchange, "answer", null);
    if (isZone && qtype === TYPE.NS) return this.#name(exchange, TYPE.NS);
    return this.#soa(exchange, "authority", null);
  }

  /** One record whose data is `localhost.` */
  #name(exchange: Exchange, type: number): Verdict {
    const writer = this.#engine.writer.begin(exchange, RCODE.NOERROR);
    writer.record("answer", null, type, CLASS.IN, TTL_SECONDS).raw(LOCALHOST, 0, LOCALHOST.length);
    exchange.response = writer.end();
    return ANSWERED;
  }

  /** An SOA record of `owner`, null for the name that was asked for. */
  #soa(
    exchange: Exchange,
    section: "answer" | "authority",
    owner: Uint8Array | null,
    rcode: number = RCODE.NOERROR,
  ): Verdict {
    const writer = this.#engine.writer.begin(exchange, rcode);
    writer.record(section, owner, TYPE.SOA, CLASS.IN, TTL_SECONDS)
      .raw(LOCALHOST, 0, LOCALHOST.length).raw(MAILBOX, 0, MAILBOX.length);
    // Serial number, refresh, retry, expire, and how long a denial may be kept.
    for (const number of [1, 0, 0, 0, TTL_SECONDS]) {
      writer.uint16(number >>> 16).uint16(number & 0xffff);
    }
    exchange.response = writer.end();
    return ANSWERED;
  }
}

function is({ memory, offset, qnameLength }: Exchange, name: Uint8Array): boolean {
  return qnameLength === name.length &&
    sameName(memory.bytes, offset + HEADER_SIZE, name, 0, name.length);
}

/** Whether the first of several labels is `localhost`. */
function beginsWithLocalhost({ memory, offset, labelCount }: Exchange): boolean {
  return labelCount > 1 &&
    memory.bytes[offset + HEADER_SIZE] === LOCALHOST_LABEL[0] &&
    sameName(memory.bytes, offset + HEADER_SIZE, LOCALHOST_LABEL, 0, LOCALHOST_LABEL.length);
}
