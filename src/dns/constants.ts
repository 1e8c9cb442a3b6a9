/** RFC 1035 section 4.1.1. */
export const HEADER_SIZE = 12;

/** Header flags (RFC 1035 section 4.1.1, RFC 4035 section 3.2). */
export const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  Z: 0x0040,
  AD: 0x0020,
  CD: 0x0010,
  RCODE: 0x000f,
} as const;

/** Codes nodens uses. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

/** All: `mnemonics.ts`. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** Validation-only types (RFC 4035 section 3.2.1, RFC 5155). */
export function isDnssecType(type: number): boolean {
  return type === TYPE.RRSIG || type === TYPE.NSEC || type === TYPE.NSEC3 ||
    type === TYPE.DNSKEY || type === TYPE.DS;
}

/** RFC 1035 section 3.2.4. */
export const CLASS = { IN: 1, CH: 3, ANY: 255 } as const;

/** With the root (RFC 1035 section 2.3.4). */
export const MAX_NAME_SIZE = 255;

/** Without EDNS (RFC 1035 section 2.3.4). */
export const MIN_UDP_PAYLOAD = 512;

/** Maximum `bufsize`; size of UDP slots. */
export const MAX_UDP_PAYLOAD = 4096;

/** Announced and default UDP size: rarely fragmented, little amplification (DNS flag day 2020). */
export const EDNS_PAYLOAD = 1232;

/** RFC 3225 section 3. */
export const EDNS_DO = 0x8000;

/** EDNS option codes. */
export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  COOKIE: 10,
  PADDING: 12,
  EXTENDED_ERROR: 15,
  /** `loop`'s mark; local use (RFC 6891 section 9). */
  LOOP_MARK: 65313,
} as const;

/** Octets of a mark. */
export const LOOP_MARK_SIZE = 8;

/** RFC 1035 section 4.2.2. */
export const MAX_MESSAGE_SIZE = 65535;

/** RFC 8914 section 4. */
export const EDE = {
  STALE: 3,
  CACHED_ERROR: 13,
  NOT_READY: 14,
  BLOCKED: 15,
  FILTERED: 17,
  STALE_NXDOMAIN: 19,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
  SYNTHESIZED: 29,
} as const;

/** OPT without options: name, type, class, TTL and data length. */
export const OPT_SIZE = 11;
