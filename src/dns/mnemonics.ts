/** Numbers of the IANA registry "Domain Name System (DNS) Parameters" and the text for them. */
import { FLAG } from "./constants.ts";

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  "NSAP-PTR": 23,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  EID: 31,
  NIMLOC: 32,
  SRV: 33,
  ATMA: 34,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  A6: 38,
  DNAME: 39,
  SINK: 40,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  NINFO: 56,
  RKEY: 57,
  TALINK: 58,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  HHIT: 67,
  BRID: 68,
  SPF: 99,
  UINFO: 100,
  UID: 101,
  GID: 102,
  UNSPEC: 103,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
  DOA: 259,
  AMTRELAY: 260,
  RESINFO: 261,
  WALLET: 262,
  CLA: 263,
  IPN: 264,
  TA: 32768,
  DLV: 32769,
};

const CLASSES: Readonly<Record<string, number>> = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 };

/** 16 is BADVERS in an OPT record and BADSIG in a TSIG record; only the former is met here. */
const RCODES: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  DSOTYPENI: 11,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
};

/** Further spellings of response codes that Corefiles use. */
const RCODE_ALIASES: Readonly<Record<string, number>> = {
  NOTIMPL: 4,
  STATEFULTYPENOTIMP: 11,
  BADSIG: 16,
};

const OPCODES: Readonly<Record<string, number>> = {
  QUERY: 0,
  IQUERY: 1,
  STATUS: 2,
  NOTIFY: 4,
  UPDATE: 5,
  DSO: 6,
};

/** Bits of the header, from left to right. */
const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [FLAG.QR, "qr"],
  [FLAG.AA, "aa"],
  [FLAG.TC, "tc"],
  [FLAG.RD, "rd"],
  [FLAG.RA, "ra"],
  [FLAG.Z, "z"],
  [FLAG.AD, "ad"],
  [FLAG.CD, "cd"],
];

const TYPE_TEXT = turnAround(TYPES);
const CLASS_TEXT = turnAround(CLASSES);
const RCODE_TEXT = turnAround(RCODES);
const OPCODE_TEXT = turnAround(OPCODES);

/** Every response code that has a name, for messages that list them. */
export const RCODE_NAMES: readonly string[] = Object.keys(RCODES);

/** Mnemonic of a type: `A`, or `TYPE65280` (RFC 3597 section 5). */
export function typeText(type: number): string {
  return TYPE_TEXT.get(type) ?? `TYPE${type}`;
}

/** Number of a type from its mnemonic or `TYPEnnn`, in either case; null where it is neither. */
export function typeNumber(text: string): number | null {
  return lookUp(TYPES, text.toUpperCase(), "TYPE");
}

/** Mnemonic of a class: `IN`, or `CLASS32` (RFC 3597 section 5). */
export function classText(qclass: number): string {
  return CLASS_TEXT.get(qclass) ?? `CLASS${qclass}`;
}

/** Number of a class from its mnemonic or `CLASSnnn`, in either case; null for anything else. */
export function classNumber(text: string): number | null {
  return lookUp(CLASSES, text.toUpperCase(), "CLASS");
}

/** Mnemonic of a response code: `NXDOMAIN`, or `RCODE24`. */
export function rcodeText(rcode: number): string {
  return RCODE_TEXT.get(rcode) ?? `RCODE${rcode}`;
}

/** Number of a response code from its mnemonic, in either case; null for an unknown one. */
export function rcodeNumber(text: string): number | null {
  const name = text.toUpperCase();
  return lookUp(RCODES, name, null) ?? lookUp(RCODE_ALIASES, name, null);
}

/** Mnemonic of an opcode: `QUERY`, or `OPCODE3`. */
export function opcodeText(opcode: number): string {
  return OPCODE_TEXT.get(opcode) ?? `OPCODE${opcode}`;
}

/** Names of the bits that are set in the header's second word, with this between them: `qr,rd,ra`. */
export function flagsText(flags: number, separator: string): string {
  let text = "";
  for (const [bit, name] of FLAGS) {
    if ((flags & bit) !== 0) text += text === "" ? name : separator + name;
  }
  return text;
}

function turnAround(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([text, number]) => [number, text]));
}

function lookUp(
  table: Readonly<Record<string, number>>,
  name: string,
  prefix: string | null,
): number | null {
  if (Object.hasOwn(table, name)) return table[name]!;
  if (prefix === null || !name.startsWith(prefix)) return null;
  const digits = name.slice(prefix.length);
  if (!/^[0-9]{1,5}$/.test(digits) || Number(digits) > 0xffff) return null;
  return Number(digits);
}
