import { FLAG, HEADER_SIZE, MAX_NAME_SIZE, RCODE, TYPE } from "./constants.ts";

/** What a response says, in the classes that a cache tells apart (RFC 2308). */
export const KIND = {
  UNKNOWN: 0,
  /** Answers the question (or, with an empty answer, may hold its data elsewhere). */
  SUCCESS: 1,
  NXDOMAIN: 2,
  NODATA: 3,
  DELEGATION: 4,
  /** SERVFAIL or NOTIMP. */
  SERVER_ERROR: 5,
  /** Nothing that may be kept. */
  OTHER: 6,
} as const;

/** Most records that a message may hold here; more is treated as malformed. */
export const MAX_RECORDS = 4096;

/** Longest chain of aliases that is followed; each costs a walk over the answer section. */
const MAX_ALIASES = 32;

/** How the data of a record type is laid out, where names inside it may be compressed. */
export const NAMES_IN_DATA: ReadonlyMap<
  number,
  { before: number; names: number; after: number }
> = new Map<number, { before: number; names: number; after: number }>([
  [2, { before: 0, names: 1, after: 0 }], // NS
  [3, { before: 0, names: 1, after: 0 }], // MD
  [4, { before: 0, names: 1, after: 0 }], // MF
  [5, { before: 0, names: 1, after: 0 }], // CNAME
  [6, { before: 0, names: 2, after: 20 }], // SOA
  [7, { before: 0, names: 1, after: 0 }], // MB
  [8, { before: 0, names: 1, after: 0 }], // MG
  [9, { before: 0, names: 1, after: 0 }], // MR
  [12, { before: 0, names: 1, after: 0 }], // PTR
  [14, { before: 0, names: 2, after: 0 }], // MINFO
  [15, { before: 2, names: 1, after: 0 }], // MX
  [17, { before: 0, names: 2, after: 0 }], // RP
  [18, { before: 2, names: 1, after: 0 }], // AFSDB
  [21, { before: 2, names: 1, after: 0 }], // RT
  [33, { before: 6, names: 1, after: 0 }], // SRV
  [36, { before: 2, names: 1, after: 0 }], // KX
  [39, { before: 0, names: 1, after: 0 }], // DNAME
]);

/**
 * Walks over a whole response once: checks every length, name and pointer, finds each TTL, takes the
 * OPT record off, and says what kind of answer it is.
 *
 * One scanner is used again for every message; its fields describe the last one.
 */
export class ResponseScanner {
  /** Length of the message without its OPT record and what follows that. */
  length = 0;
  rcode = 0;
  /** Upper eight bits of the response code, from OPT (RFC 6891 section 6.1.3). */
  extendedRcode = 0;
  edns = false;
  truncated = false;
  ttlCount = 0;
  /** Offset of each record's TTL from the start of the message. */
  readonly ttls: Uint16Array = new Uint16Array(MAX_RECORDS);
  /**
   * Lowest TTL of all records, in seconds; Infinity without records. For a denial also the SOA
   * record's MINIMUM, which bounds how long it is good (RFC 2308 section 5).
   */
  minTtlSeconds: number = Infinity;
  kind: number = KIND.UNKNOWN;

  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;
  #end = 0;
  readonly #owner = new Uint8Array(MAX_NAME_SIZE + 1);
  readonly #target = new Uint8Array(MAX_NAME_SIZE + 1);
  readonly #alias = new Uint8Array(MAX_NAME_SIZE + 1);

  /**
   * Scans the message in `bytes` at `start`, `length` bytes long, with one question.
   *
   * @returns false for a message that must not be used at all
   */
  scan(bytes: Uint8Array, view: DataView, start: number, length: number): boolean {
    this.#bytes = bytes;
    this.#view = view;
    this.#start = start;
    this.#end = start + length;
    this.kind = KIND.UNKNOWN;
    this.ttlCount = 0;
    this.minTtlSeconds = Infinity;
    this.edns = false;
    this.extendedRcode = 0;
    if (length < HEADER_SIZE || view.getUint16(start + 4) !== 1) return false;
    const flags = view.getUint16(start + 2);
    this.rcode = flags & FLAG.RCODE;
    this.truncated = (flags & FLAG.TC) !== 0;
    const questionEnd = this.#skipName(start + HEADER_SIZE);
    if (questionEnd < 0 || questionEnd + 4 > this.#end) return false;
    const qtype = view.getUint16(questionEnd);
    const qclass = view.getUint16(questionEnd + 2);
    const answers = view.getUint16(start + 6);
    const authorities = view.getUint16(start + 8);
    const additionals = view.getUint16(start + 10);
    const total = answers + authorities + additionals;
    if (total > MAX_RECORDS) return false;

    let at = questionEnd + 4;
    const answersAt = at;
    let soa = false;
    let nameServers = 0;
    let direct = false;
    let aliases = 0;
    let soaMinimum = Infinity;
    let kept = 0;
    let lengthKept = at - start;
    for (let i = 0; i < total; i++) {
      const ownerAt = at;
      at = this.#skipName(at);
      if (at < 0 || at + 10 > this.#end) return this.#cutShort(kept, lengthKept);
      const type = view.getUint16(at);
      const dataLength = view.getUint16(at + 8);
      const dataAt = at + 10;
      const next = dataAt + dataLength;
      if (next > this.#end) return this.#cutShort(kept, lengthKept);
      if (type === TYPE.OPT && i >= answers + authorities) {
        if (this.edns) return false;
        this.edns = true;
        this.extendedRcode = bytes[at + 4]!;
        // What stands behind OPT (a transaction signature) was meant for this hop alone.
        for (let rest = i + 1, from = next; rest < total; rest++) {
          from = this.#skipName(from);
          if (from < 0 || from + 10 > this.#end) return false;
          if (view.getUint16(from) === TYPE.OPT) return false;
          from += 10 + view.getUint16(from + 8);
          if (from > this.#end) return false;
        }
        break;
      }
      if (!this.#validData(type, dataAt, dataLength)) return false;
      const ttl = view.getUint32(at + 4);
      // A TTL with its highest bit set counts as zero (RFC 2181 section 8).
      const seconds = ttl > 0x7fffffff ? 0 : ttl;
      if (seconds < this.minTtlSeconds) this.minTtlSeconds = seconds;
      this.ttls[kept++] = at + 4 - start;
      if (i < answers) {
        if (type === TYPE.CNAME) {
          aliases++;
        } else if (
          type === qtype && bytes[ownerAt] === 0xc0 && bytes[ownerAt + 1] === HEADER_SIZE &&
          view.getUint16(at + 2) === qclass
        ) direct = true;
      } else if (i < answers + authorities) {
        if (type === TYPE.SOA) {
          soa = true;
          soaMinimum = Math.min(soaMinimum, view.getUint32(next - 4));
        } else if (type === TYPE.NS) nameServers++;
      }
      at = next;
      lengthKept = at - start;
    }
    this.ttlCount = kept;
    this.length = lengthKept;
    const answered = direct && aliases === 0;
    this.kind = this.#classify(qtype, answers, answersAt, soa, nameServers, answered);
    if (this.kind === KIND.NXDOMAIN || this.kind === KIND.NODATA) {
      if (soaMinimum < this.minTtlSeconds) this.minTtlSeconds = soaMinimum;
    }
    return true;
  }

  /** A truncated message may end in the middle of a record: what came before is still good. */
  #cutShort(kept: number, length: number): boolean {
    if (!this.truncated) return false;
    this.ttlCount = kept;
    this.length = length;
    this.kind = KIND.OTHER;
    return true;
  }

  #classify(
    qtype: number,
    answers: number,
    answersAt: number,
    soa: boolean,
    nameServers: number,
    direct: boolean,
  ): number {
    if (this.truncated || this.extendedRcode !== 0) return KIND.OTHER;
    switch (this.rcode) {
      case RCODE.NOERROR:
        if (answers > 0) {
          if (direct || this.#answersQuestion(qtype, answers, answersAt)) return KIND.SUCCESS;
          // A chain that ends nowhere is a denial with an SOA, and no answer at all without.
          return soa ? KIND.NODATA : KIND.OTHER;
        }
        if (soa) return KIND.NODATA;
        return nameServers > 0 ? KIND.DELEGATION : KIND.SUCCESS;
      case RCODE.NXDOMAIN:
        // Without an SOA nothing bounds the denial (RFC 2308 section 5).
        return soa ? KIND.NXDOMAIN : KIND.OTHER;
      case RCODE.SERVFAIL:
      case RCODE.NOTIMP:
        return KIND.SERVER_ERROR;
      default:
        return KIND.OTHER;
    }
  }

  /**
   * Whether the end of the CNAME chain from the qname has a record of the type (RFC 1034 section
   * 3.6.2). A chain that forks (RFC 2181 section 10.1) or closes in a loop has no end.
   */
  #answersQuestion(qtype: number, answers: number, answersAt: number): boolean {
    const view = this.#view;
    const target = this.#target;
    const qclass = view.getUint16(answersAt - 2);
    this.#expand(this.#start + HEADER_SIZE, target);
    for (let hops = Math.min(answers, MAX_ALIASES); hops >= 0; hops--) {
      let alias = -1;
      let found = false;
      let at = answersAt;
      for (let i = 0; i < answers; i++) {
        const ownerAt = at;
        at = this.#skipName(at);
        const type = view.getUint16(at);
        const dataAt = at + 10;
        const wanted = type === qtype || type === TYPE.CNAME || qtype === TYPE.ANY;
        if (wanted && view.getUint16(at + 2) === qclass) {
          this.#expand(ownerAt, this.#owner);
          if (sameName(this.#owner, target)) {
            if (type === qtype || qtype === TYPE.ANY) found = true;
            if (type === TYPE.CNAME && qtype !== TYPE.ANY) {
              if (alias >= 0) {
                this.#expand(alias, this.#alias);
                this.#expand(dataAt, this.#owner);
                if (!sameName(this.#alias, this.#owner)) return false;
              }
              alias = dataAt;
            }
          }
        }
        at = dataAt + view.getUint16(at + 8);
      }
      if (alias < 0 || qtype === TYPE.CNAME) return found;
      this.#expand(alias, target);
    }
    return false;
  }

  #validData(type: number, at: number, length: number): boolean {
    if (type === TYPE.A) return length === 4;
    if (type === TYPE.AAAA) return length === 16;
    const end = at + length;
    if (type === TYPE.TXT) {
      let string = at;
      while (string < end) string += this.#bytes[string]! + 1;
      return string === end && length > 0;
    }
    const layout = NAMES_IN_DATA.get(type);
    if (layout === undefined) return true;
    let next = at + layout.before;
    for (let i = 0; i < layout.names; i++) {
      if (next >= end) return false;
      next = this.#skipName(next);
      if (next < 0) return false;
    }
    return next + layout.after === end;
  }

  /** Steps over a name after checking all of it (RFC 1035 section 4.1.4); -1 where it is bad. */
  #skipName(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    // Nearly every owner is a pointer to the question.
    if (start + 1 < end && bytes[start] === 0xc0 && bytes[start + 1] === HEADER_SIZE) {
      return start + 2;
    }
    let at = start;
    let next = -1;
    let size = 1;
    let lowest = start;
    for (;;) {
      if (at >= end) return -1;
      const octet = bytes[at]!;
      if (octet === 0) return next < 0 ? at + 1 : next;
      if (octet >= 0xc0) {
        if (at + 1 >= end) return -1;
        if (next < 0) next = at + 2;
        const target = this.#start + (((octet & 0x3f) << 8) | bytes[at + 1]!);
        // Only ever backwards, so a chain of pointers ends.
        if (target >= lowest || target < this.#start + HEADER_SIZE) return -1;
        lowest = target;
        at = target;
        continue;
      }
      if (octet > 63) return -1;
      size += octet + 1;
      if (size > MAX_NAME_SIZE) return -1;
      at += octet + 1;
    }
  }

  /** Writes a name that `#skipName` has found good, uncompressed and in lower case. */
  #expand(start: number, into: Uint8Array): void {
    const bytes = this.#bytes;
    let at = start;
    let out = 0;
    for (;;) {
      const octet = bytes[at]!;
      if (octet >= 0xc0) {
        at = this.#start + (((octet & 0x3f) << 8) | bytes[at + 1]!);
        continue;
      }
      into[out++] = octet;
      if (octet === 0) return;
      for (let i = 1; i <= octet; i++) {
        const letter = bytes[at + i]!;
        into[out++] = letter >= 0x41 && letter <= 0x5a ? letter | 0x20 : letter;
      }
      at += octet + 1;
    }
  }
}

/** Compares two names as `#expand` writes them. */
function sameName(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0;;) {
    const size = a[at]!;
    const end = at + size;
    for (; at <= end; at++) if (a[at] !== b[at]) return false;
    if (size === 0) return true;
  }
}
