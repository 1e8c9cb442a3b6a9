/** Numbers of the DNS protocol that code refers to by name. Text for them is in `mnemonics.ts`. */

/** Header layout (RFC 1035 section 4.1.1), offsets in bytes from the start of the message. */
export const HEADER_SIZE = 12;

/** Bits of the header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3.2). */
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

/** Response codes (RFC 1035 section 4.1.1, RFC 6895 section 2.3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  BADVERS: 16,
  /** The server wants its fresh cookie (RFC 7873 section 8). */
  BADCOOKIE: 23,
} as const;

/** Resource record and query types that code treats specially (IANA DNS parameters). */
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

/** Classes (RFC 1035 section 3.2.4). */
export const CLASS = { IN: 1, CH: 3, ANY: 255 } as const;

/** Longest name in wire form, the root's zero octet included (RFC 1035 section 2.3.4). */
export const MAX_NAME_SIZE = 255;

/** Largest UDP answer to a client that sent no OPT record (RFC 1035 section 2.3.4). */
export const MIN_UDP_PAYLOAD = 512;

/** Largest UDP answer that can be configured (`bufsize`); the receive and send slots are made for it. */
export const MAX_UDP_PAYLOAD = 4096;

/**
 * Payload size that nodens announces to clients and upstreams, and the largest UDP answer it sends
 * unless `bufsize` allows more, whatever the client offers (DNS flag day 2020): it fits through
 * nearly every network in one piece, and gives an attacker less to aim at somebody else.
 */
export const EDNS_PAYLOAD = 1232;

/** The DO bit in the flags of an OPT record (RFC 3225 section 3). */
export const EDNS_DO = 0x8000;

/** EDNS options (IANA DNS EDNS0 Option Codes) that are written into responses. */
export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  COOKIE: 10,
  PADDING: 12,
  EXTENDED_ERROR: 15,
  /** The mark of a probe for loops: nodens' own, from the range for local use (RFC 6891 section 9). */
  LOOP_MARK: 65313,
} as const;

/** Octets of a probe's mark. */
export const LOOP_MARK_SIZE = 8;

/** Largest DNS message; over TCP its length is a 16-bit number (RFC 1035 section 4.2.2). */
export const MAX_MESSAGE_SIZE = 65535;

/** Extended DNS Error codes (RFC 8914 section 4) that nodens sends. */
export const EDE = {
  STALE: 3,
  CACHED_ERROR: 13,
  NOT_READY: 14,
  BLOCKED: 15,
  FILTERED: 17,
  STALE_NXDOMAIN: 19,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const;
