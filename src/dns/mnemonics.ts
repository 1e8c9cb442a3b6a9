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

/** RFC 8914 section 5.2 and IANA's list. */
const ERROR_PURPOSES: readonly string[] = [
  ...["Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer"],
  ...["Forged Answer", "DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired"],
  ...["Signature Not Yet Valid", "DNSKEY Missing", "RRSIGs Missing", "No Zone Key Bit Set"],
  ...["NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored", "Filtered", "Prohibited"],
  ...["Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported", "No Reachable Authority"],
  ...["Network Error", "Invalid Data", "Signature Expired before Valid", "Too Early"],
  ...["Unsupported NSEC3 Iterations Value", "Unable to conform to policy", "Synthesized"],
];

const RCODE_ALIASES = new Map([["NOTIMPL", 4], ["STATEFULTYPENOTIMP", 11], ["BADSIG", 16]]);

const FLAGS = (["QR", "AA", "TC", "RD", "RA", "Z", "AD", "CD"] as const)
  .map((name) => [FLAG[name], name.toLowerCase()] as const);

/** Names of response codes. */
export const RCODE_NAMES: readonly string[] = [...RCODES.keys()];

/** `A`, or `TYPE65280` (RFC 3597 section 5). */
export const typeText: (type: number) => string = textOf(TYPES, "TYPE");
/** Type of `A` or `TYPEnnn` in any case, or null. */
export const typeNumber: (text: string) => number | null = numberOf(TYPES, "TYPE");
/** `IN`, or `CLASS32` (RFC 3597 section 5). */
export const classText: (qclass: number) => string = textOf(CLASSES, "CLASS");
/** Class of `IN` or `CLASSnnn` in any case, or null. */
export const classNumber: (text: string) => number | null = numberOf(CLASSES, "CLASS");
/** `NXDOMAIN`, or `RCODE24`. */
export const rcodeText: (rcode: number) => string = textOf(RCODES, "RCODE");
/** `QUERY`, or `OPCODE3`. */
export const opcodeText: (opcode: number) => string = textOf(OPCODES, "OPCODE");

/** Any case; null if unknown. */
export function rcodeNumber(text: string): number | null {
  const name = text.toUpperCase();
  return RCODES.get(name) ?? RCODE_ALIASES.get(name) ?? null;
}

/** `22 (No Reachable Authority)`, or `49152`. */
export function extendedErrorText(code: number): string {
  const purpose = ERROR_PURPOSES[code];
  return purpose === undefined ? String(code) : `${code} (${purpose})`;
}

/** `qr,rd,ra`. */
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

function textOf(numbers: ReadonlyMap<string, number>, prefix: string): (number: number) => string {
  const texts = new Map([...numbers].map(([text, number]) => [number, text]));
  return (number) => texts.get(number) ?? `${prefix}${number}`;
}

function numberOf(numbers: ReadonlyMap<string, number>, prefix: string) {
  const numeric = new RegExp(`^${prefix}([0-9]{1,5})$`, "i");
  return (text: string) => {
    const number = numbers.get(text.toUpperCase()) ?? Number(numeric.exec(text)?.[1] ?? Infinity);
    return number <= 0xffff ? number : null;
  };
}
