import { FLAG, HEADER_SIZE, RCODE, TYPE } from "./constants.ts";
import { AliasChain, NO_END } from "./names/alias_chain.ts";
import { NameReader } from "./names/name_reader.ts";
import { passName } from "./names/walk.ts";
import { hasGoodData } from "./record_layout.ts";

/** Response classes (RFC 2308). */
export const KIND = {
  UNKNOWN: 0,
  SUCCESS: 1,
  NXDOMAIN: 2,
  NODATA: 3,
  /** Neither answer nor denial, e.g. a referral. */
  EMPTY: 4,
  /** `EMPTY`, neither recursive nor authoritative. */
  LAME: 5,
  /** SERVFAIL, FORMERR, NOTIMP, REFUSED, endless aliases (RFC 9520 section 2). */
  FAILURE: 6,
  /** Not cached. */
  OTHER: 7,
} as const;

/** More count as malformed. */
export const MAX_RECORDS = 4096;

/** Type, class, TTL and data length. */
export const RECORD_FIELDS_SIZE = 10;

/** Checks, finds TTLs, removes OPT and classifies, in linear time. */
export class ResponseScanner {
  /** Without OPT and later records. */
  length = 0;
  rcode = 0;
  extendedRcode = 0;
  edns = false;
  truncated = false;
  ttlCount = 0;
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);
  /** With a denial's SOA MINIMUM (RFC 2308 section 5); Infinity without records. */
  minTtlSeconds: number = Infinity;
  kind: number = KIND.UNKNOWN;

  readonly #names = new NameReader(this.ttls);
  readonly #aliases = new AliasChain();
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;

  get octetsRead(): number {
    return this.#names.octetsRead;
  }

  /** False if malformed, or not one question. */
  scan(bytes: Uint8Array, view: DataView, start: number, length: number): boolean {
    const names = this.#names;
    const end = start + length;
    this.#bytes = bytes;
    this.#view = view;
    this.#start = start;
    this.kind = KIND.UNKNOWN;
    this.ttlCount = 0;
    this.length = 0;
    this.minTtlSeconds = Infinity;
    this.edns = false;
    this.extendedRcode = 0;
    if (length < HEADER_SIZE || view.getUint16(start + 4) !== 1) return false;
    const flags = view.getUint16(start + 2);
    this.rcode = flags & FLAG.RCODE;
    this.truncated = (flags & FLAG.TC) !== 0;
    const questionEnd = names.begin(bytes, start, length);
    if (questionEnd < 0 || questionEnd + 4 > end) return false;
    const qtype = view.getUint16(questionEnd);
    const qclass = view.getUint16(questionEnd + 2);
    const answers = view.getUint16(start + 6);
    const authorities = view.getUint16(start + 8);
    const total = answers + authorities + view.getUint16(start + 10);
    if (total > MAX_RECORDS) return false;

    const answersAt = questionEnd + 4;
    let at = answersAt;
    let soa = false;
    let direct = false;
    let aliases = 0;
    let soaMinimum = Infinity;
    let kept = 0;
    this.length = at - start;
    this.#aliases.clear();
    for (let i = 0; i < total; i++) {
      const ownerAt = at;
      at = names.skip(at);
      if (at < 0 || at + RECORD_FIELDS_SIZE > end) return this.#cutShort();
      const type = view.getUint16(at);
      const dataAt = at + RECORD_FIELDS_SIZE;
      const next = dataAt + view.getUint16(at + 8);
      if (next > end) return this.#cutShort();
      if (type === TYPE.OPT) {
        // One, additional, owned by the root (RFC 6891 section 6.1.1).
        if (i < answers + authorities || bytes[ownerAt] !== 0) return false;
        this.edns = true;
        this.extendedRcode = bytes[at + 4]!;
        // Records behind OPT (TSIG) are hop-by-hop.
        if (!this.#pass(next, end, total - i - 1)) return false;
        break;
      }
      this.ttls[kept++] = at + 4 - start;
      names.records = kept;
      if (!hasGoodData(names, type, dataAt, next)) return false;
      const ttl = view.getUint32(at + 4);
      // The highest bit means zero (RFC 2181 section 8).
      const seconds = ttl > 0x7fffffff ? 0 : ttl;
      if (seconds < this.minTtlSeconds) this.minTtlSeconds = seconds;
      if (i < answers) {
        if (type === TYPE.CNAME) {
          aliases++;
          if (view.getUint16(at + 2) === qclass) this.#aliases.add(names, ownerAt, dataAt);
        } else if (
          type === qtype && bytes[ownerAt] === 0xc0 && bytes[ownerAt + 1] === HEADER_SIZE &&
          view.getUint16(at + 2) === qclass
        ) direct = true;
      } else if (i < answers + authorities && type === TYPE.SOA) {
        soa = true;
        soaMinimum = Math.min(soaMinimum, view.getUint32(next - 4));
      }
      at = next;
      this.ttlCount = kept;
      this.length = at - start;
    }
    this.kind = this.#classify(flags, soa, answers);
    if (this.kind === KIND.UNKNOWN) {
      this.kind = direct && aliases === 0
        ? KIND.SUCCESS
        : this.#followAliases(qtype, answers, answersAt, soa);
    }
    if (names.exhausted) return false;
    if (this.kind === KIND.NXDOMAIN || this.kind === KIND.NODATA) {
      if (soaMinimum < this.minTtlSeconds) this.minTtlSeconds = soaMinimum;
    }
    return true;
  }

  #cutShort(): boolean {
    this.kind = KIND.OTHER;
    return this.truncated;
  }

  #pass(at: number, end: number, records: number): boolean {
    const view = this.#view;
    for (let i = 0, from = at; i < records; i++) {
      from = passName(this.#bytes, from, end);
      if (from < 0 || from + RECORD_FIELDS_SIZE > end || view.getUint16(from) === TYPE.OPT) {
        return false;
      }
      from += RECORD_FIELDS_SIZE + view.getUint16(from + 8);
      if (from > end) return false;
    }
    return true;
  }

  /** `UNKNOWN` if the answer section decides. */
  #classify(flags: number, soa: boolean, answers: number): number {
    if (this.truncated || this.extendedRcode !== 0) return KIND.OTHER;
    switch (this.rcode) {
      case RCODE.NOERROR:
        if (answers > 0) return KIND.UNKNOWN;
        if (soa) return KIND.NODATA;
        return (flags & (FLAG.RA | FLAG.AA)) === 0 ? KIND.LAME : KIND.EMPTY;
      case RCODE.NXDOMAIN:
        // Unbounded without SOA (RFC 2308 section 5).
        return soa ? KIND.NXDOMAIN : KIND.OTHER;
      case RCODE.FORMERR:
      case RCODE.SERVFAIL:
      case RCODE.NOTIMP:
      case RCODE.REFUSED:
        return KIND.FAILURE;
      default:
        return KIND.OTHER;
    }
  }

  /** The CNAME chain must end at a record of the type (RFC 1034 section 3.6.2). */
  #followAliases(qtype: number, answers: number, answersAt: number, soa: boolean): number {
    const names = this.#names;
    const qname = this.#start + HEADER_SIZE;
    const nothing = soa ? KIND.NODATA : KIND.OTHER;
    if (qtype === TYPE.CNAME) return this.#aliases.has(names, qname) ? KIND.SUCCESS : nothing;
    const owner = qtype === TYPE.ANY ? qname : this.#aliases.end(names, qname);
    if (owner === NO_END) return KIND.FAILURE;
    const view = this.#view;
    const qclass = view.getUint16(answersAt - 2);
    for (let i = 0, at = answersAt; i < answers; i++) {
      const fieldsAt = passName(this.#bytes, at, this.#bytes.length);
      const type = view.getUint16(fieldsAt);
      if (
        (type === qtype || qtype === TYPE.ANY) && view.getUint16(fieldsAt + 2) === qclass &&
        names.isSame(at, owner)
      ) return KIND.SUCCESS;
      at = fieldsAt + RECORD_FIELDS_SIZE + view.getUint16(fieldsAt + 8);
    }
    return nothing;
  }
}
