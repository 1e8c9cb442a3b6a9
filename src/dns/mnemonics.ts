import { FLAG } from "./constants.ts";

type Names = readonly (readonly [first: number, names: string])[];

/** IANA's "Domain Name System (DNS) Parameters". */
const TYPES = numbers([
  [1, "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP"],
  [23, "NSAP-PTR SIG KEY PX GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT"],
  [42, "APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA"],
  [55, "HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS DSYNC HHIT BRID"],
  [99, "SPF UINFO UID GID UNSPEC NID L32 L64 LP EUI48 EUI64"],
  [128, "NXNAME"],
  [249, "TKEY TSIG IXFR AXFR MAILB MAILA ANY URI CAA AVC DOA AMTRELAY RESINFO WALLET CLA IPN"],
  [32768, "TA DLV"],
]);
const CLASSES = numbers([[1, "IN"], [3, "CH HS"], [254, "NONE ANY"]]);
const OPCODES = numbers([[0, "QUERY IQUERY STATUS"], [4, "NOTIFY UPDATE DSO"]]);
/** 16 is BADVERS; BADSIG (TSIG) does not occur. */
const RCODES = numbers([
  [0, "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE"],
  [11, "DSOTYPENI"],
  [16, "BADVERS BADKEY BADTIME BADMODE BADNAME BADALG BADTRUNC BADCOOKIE"],
]);

const RCODE_ALIASES = new Map([["NOTIMPL", 4], ["STATEFULTYPENOTIMP", 11], ["BADSIG", 16]]);

const FLAGS = (["QR", "AA", "TC", "RD", "RA", "Z", "AD", "CD"] as const)
  .map((name) => [FLAG[name], name.toLowerCase()] as const);

const TYPE_TEXT = texts(TYPES);
const CLASS_TEXT = texts(CLASSES);
const RCODE_TEXT = texts(RCODES);
const OPCODE_TEXT = texts(OPCODES);

/** Names of response codes. */
export const RCODE_NAMES: readonly string[] = [...RCODES.keys()];

/** `A`, or `TYPE65280` (RFC 3597 section 5). */
export function typeText(type: number): string {
  return TYPE_TEXT.get(type) ?? `TYPE${type}`;
}

/** Type of `A` or `TYPEnnn` in any case, or null. */
export function typeNumber(text: string): number | null {
  return lookUp(TYPES, text, /^TYPE([0-9]{1,5})$/i);
}

/** `IN`, or `CLASS32` (RFC 3597 section 5). */
export function classText(qclass: number): string {
  return CLASS_TEXT.get(qclass) ?? `CLASS${qclass}`;
}

/** Class of `IN` or `CLASSnnn` in any case, or null. */
export function classNumber(text: string): number | null {
  return lookUp(CLASSES, text, /^CLASS([0-9]{1,5})$/i);
}

/** `NXDOMAIN`, or `RCODE24`. */
export function rcodeText(rcode: number): string {
  return RCODE_TEXT.get(rcode) ?? `RCODE${rcode}`;
}

/** Code of `NXDOMAIN` in any case, or null. */
export function rcodeNumber(text: string): number | null {
  const name = text.toUpperCase();
  return RCODES.get(name) ?? RCODE_ALIASES.get(name) ?? null;
}

/** `QUERY`, or `OPCODE3`. */
export function opcodeText(opcode: number): string {
  return OPCODE_TEXT.get(opcode) ?? `OPCODE${opcode}`;
}

/** Header flags: `qr,rd,ra`. */
export function flagsText(flags: number, separator: string): string {
  let text = "";
  for (const [bit, name] of FLAGS) {
    if ((flags & bit) !== 0) text += text === "" ? name : separator + name;
  }
  return text;
}

function numbers(rows: Names): ReadonlyMap<string, number> {
  return new Map(
    rows.flatMap(([first, names]) =>
      names.split(" ").map((name, i): [string, number] => [name, first + i])
    ),
  );
}

function texts(numbers: ReadonlyMap<string, number>): ReadonlyMap<number, string> {
  return new Map([...numbers].map(([text, number]) => [number, text]));
}

function lookUp(
  numbers: ReadonlyMap<string, number>,
  text: string,
  numeric: RegExp,
): number | null {
  const known = numbers.get(text.toUpperCase());
  if (known !== undefined) return known;
  const number = Number(numeric.exec(text)?.[1] ?? Infinity);
  return number <= 0xffff ? number : null;
}
