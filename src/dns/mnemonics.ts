/** Text and numbers of the IANA DNS parameters. */

const TYPES: Readonly<Record<string, number>> = {
  A: 1, NS: 2, MD: 3, MF: 4, CNAME: 5, SOA: 6, MB: 7, MG: 8, MR: 9, NULL: 10, WKS: 11, PTR: 12,
  HINFO: 13, MINFO: 14, MX: 15, TXT: 16, RP: 17, AFSDB: 18, X25: 19, ISDN: 20, RT: 21, NSAP: 22,
  "NSAP-PTR": 23, SIG: 24, KEY: 25, PX: 26, GPOS: 27, AAAA: 28, LOC: 29, NXT: 30, EID: 31,
  NIMLOC: 32, SRV: 33, ATMA: 34, NAPTR: 35, KX: 36, CERT: 37, A6: 38, DNAME: 39, SINK: 40, OPT: 41,
  APL: 42, DS: 43, SSHFP: 44, IPSECKEY: 45, RRSIG: 46, NSEC: 47, DNSKEY: 48, DHCID: 49, NSEC3: 50,
  NSEC3PARAM: 51, TLSA: 52, SMIMEA: 53, HIP: 55, CDS: 59, CDNSKEY: 60, OPENPGPKEY: 61, CSYNC: 62,
  ZONEMD: 63, SVCB: 64, HTTPS: 65, SPF: 99, NID: 104, L32: 105, L64: 106, LP: 107, EUI48: 108,
  EUI64: 109, TKEY: 249, TSIG: 250, IXFR: 251, AXFR: 252, MAILB: 253, MAILA: 254, ANY: 255, URI: 256,
  CAA: 257, AVC: 258, DOA: 259, AMTRELAY: 260, TA: 32768, DLV: 32769,
};

const CLASSES: Readonly<Record<string, number>> = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 };

const RCODES: Readonly<Record<string, number>> = {
  NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6, YXRRSET: 7,
  NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10, DSOTYPENI: 11, BADVERS: 16, BADKEY: 17, BADTIME: 18,
  BADMODE: 19, BADNAME: 20, BADALG: 21, BADTRUNC: 22, BADCOOKIE: 23,
};

const OPCODES: Readonly<Record<string, number>> = {
  QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6,
};

const invert = (table: Readonly<Record<string, number>>) =>
  new Map(Object.entries(table).map(([text, number]) => [number, text]));

const TYPE_TEXT = invert(TYPES);
const CLASS_TEXT = invert(CLASSES);
const RCODE_TEXT = invert(RCODES);
const OPCODE_TEXT = invert(OPCODES);

/** Text of a record type; `TYPE65280` for one without a name (RFC 3597 section 5). */
export function typeText(type: number): string {
  return TYPE_TEXT.get(type) ?? `TYPE${type}`;
}

/** Number of a record type's text, `TYPE65280` included; undefined for anything else. */
export function typeNumber(text: string): number | undefined {
  return lookUp(TYPES, "TYPE", text);
}

/** Text of a class; `CLASS5` for one without a name. */
export function classText(qclass: number): string {
  return CLASS_TEXT.get(qclass) ?? `CLASS${qclass}`;
}

/** Number of a class's text; undefined for anything else. */
export function classNumber(text: string): number | undefined {
  return lookUp(CLASSES, "CLASS", text);
}

/** Text of a response code; `RCODE24` for one without a name. */
export function rcodeText(rcode: number): string {
  return RCODE_TEXT.get(rcode) ?? `RCODE${rcode}`;
}

/** Number of a response code's text; undefined for anything else. */
export function rcodeNumber(text: string): number | undefined {
  return lookUp(RCODES, "RCODE", text);
}

/** Names of the response codes. */
export function rcodeNames(): string[] {
  return Object.keys(RCODES);
}

/** Text of an opcode; `OPCODE3` for one without a name. */
export function opcodeText(opcode: number): string {
  return OPCODE_TEXT.get(opcode) ?? `OPCODE${opcode}`;
}

function lookUp(
  table: Readonly<Record<string, number>>,
  generic: string,
  text: string,
): number | undefined {
  const upper = text.toUpperCase();
  if (Object.hasOwn(table, upper)) return table[upper];
  if (!upper.startsWith(generic)) return undefined;
  const digits = upper.slice(generic.length);
  return /^[0-9]{1,5}$/.test(digits) && Number(digits) <= 65535 ? Number(digits) : undefined;
}
