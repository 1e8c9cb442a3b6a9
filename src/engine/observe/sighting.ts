import { Address } from "../../dns/address.ts";
import { HEADER_SIZE, MAX_NAME_SIZE, TYPE } from "../../dns/constants.ts";
import { answerSource } from "../exchange/answer_source.ts";
import { type Exchange, TCP } from "../exchange/exchange.ts";
import type { EngineServices } from "../handler.ts";
import { copyFolded } from "../question/fold.ts";
import type { Response } from "../response/response.ts";

/** Octets for a name, padded. */
export const NAME_SIZE = 256;
/** Octets for an address. */
export const ADDRESS_SIZE = 16;
/** Rcode of unanswered queries. */
export const UNANSWERED = -1;

/** Searched for an address. */
const MAX_RECORDS = 16;
const TYPE_AT = -4;
const DATA_SIZE_AT = 4;
const DATA_AT = 6;

/** An ended query; reused. Reading allocates nothing. */
export class Sighting {
  /** Lower-cased wire form. */
  readonly name: Uint8Array = new Uint8Array(NAME_SIZE);
  /** 0: unreadable. */
  nameLength = 0;
  qtype = 0;
  rcode = UNANSWERED;
  readonly client = new Address();
  /** False if the connection has gone. */
  hasClient = false;
  tcp = false;
  waitedMs = 0;
  source = "";
  upstream = "";
  reason = "";

  read(exchange: Exchange, rcode: number, waitedMs: number, engine: EngineServices): void {
    const { origin, qnameLength } = exchange;
    const length = qnameLength <= MAX_NAME_SIZE ? qnameLength : 0;
    copyFolded(exchange.memory.bytes, exchange.offset + HEADER_SIZE, this.name, 0, length);
    this.nameLength = length;
    this.qtype = length === 0 ? 0 : exchange.qtype;
    this.rcode = rcode;
    this.tcp = exchange.transport === TCP;
    this.hasClient = origin.kind !== "stream" || !origin.gone;
    if (this.hasClient) engine.clientAddress(exchange, this.client);
    this.waitedMs = waitedMs;
    this.source = rcode === UNANSWERED ? "" : answerSource(exchange);
    this.upstream = exchange.upstream;
    this.reason = exchange.error;
  }

  /** Start of the last four labels behind the first. */
  get zoneAt(): number {
    const { name } = this;
    if (this.nameLength <= 1) return 0;
    const at = name[0]! + 1;
    let labels = 0;
    for (let next = at; name[next] !== 0; next += name[next]! + 1) labels++;
    let from = at;
    for (; labels > ZONE_LABELS; labels--) from += name[from]! + 1;
    return from;
  }
}

/** For `my-namespace.svc.cluster.local`. */
const ZONE_LABELS = 4;

/** Offset of the first answered address, or -1. */
export function findAddress(response: Response): number {
  const { view } = response.memory;
  const count = Math.min(response.answerCount, response.ttlCount, MAX_RECORDS);
  for (let i = 0; i < count; i++) {
    const ttlAt = response.offset + view.getUint16(response.ttlsAt + 2 * i, true);
    const type = view.getUint16(ttlAt + TYPE_AT);
    const size = view.getUint16(ttlAt + DATA_SIZE_AT);
    if ((type === TYPE.A && size === 4) || (type === TYPE.AAAA && size === 16)) {
      return ttlAt + DATA_AT;
    }
  }
  return -1;
}

/** First answer's, as the client sees it, or -1. */
export function firstTtl(response: Response): number {
  if (response.answerCount === 0 || response.ttlCount === 0) return -1;
  if (response.ttlSeconds >= 0) return response.ttlSeconds;
  const { view } = response.memory;
  return view.getUint32(response.offset + view.getUint16(response.ttlsAt, true));
}
