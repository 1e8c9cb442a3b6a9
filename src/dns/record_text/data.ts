import { typeNumber, typeText } from "../mnemonics.ts";
import { parseName } from "../name.ts";
import { readServiceParameters } from "./service_parameters.ts";
import { addressOctets, octetsOf, type Word } from "./words.ts";

/** RFC 1035 section 3.3. */
const MAX_STRING = 255;

class DataReader {
  readonly left: Word[];
  readonly #octets: number[] = [];

  constructor(words: readonly Word[]) {
    this.left = [...words];
  }

  word(what: string): Word {
    const word = this.left.shift();
    if (word === undefined) throw new SyntaxError(`${what} is missing`);
    return word;
  }

  add(octets: Iterable<number>): void {
    for (const octet of octets) this.#octets.push(octet);
  }

  number(what: string, octets: number, value = this.word(what).text): void {
    const number = /^[0-9]+$/.test(value) ? Number(value) : NaN;
    if (!(number < 256 ** octets)) throw new SyntaxError(`${what} ${value} is not a number`);
    for (let i = octets - 1; i >= 0; i--) this.add([Math.floor(number / 256 ** i) % 256]);
  }

  finish(): Uint8Array {
    const [word] = this.left;
    if (word !== undefined) throw new SyntaxError(`unexpected ${JSON.stringify(word.text)}`);
    return Uint8Array.from(this.#octets);
  }
}

type Field = (data: DataReader) => void;

const number = (octets: number) => (what: string): Field => (data) => data.number(what, octets);
const [u8, u16, u32] = [number(1), number(2), number(4)];
const address = (family: 4 | 6): Field => (data) =>
  data.add(addressOctets(data.word("the address").text, family));
const name = (what: string): Field => (data) => data.add(parseName(data.word(what).text));
const octets = (what: string): Field => (data) => data.add(octetsOf(data.word(what)));

const seconds = (what: string): Field => (data) => {
  const { text } = data.word(what);
  const seconds = readSeconds(text);
  if (seconds === null) throw new SyntaxError(`${what} ${text} is not a time`);
  data.number(what, 4, String(seconds));
};

const string = (what: string): Field => (data) => {
  const octets = octetsOf(data.word(what));
  if (octets.length > MAX_STRING) throw new SyntaxError(`${what} is over ${MAX_STRING} octets`);
  data.add([octets.length, ...octets]);
};

const strings: Field = (data) => {
  do string("the text")(data); while (data.left.length > 0);
};

const hexadecimal = (what: string): Field => (data) => {
  const text = data.left.splice(0).map((word) => word.text).join("");
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new SyntaxError(`${what} is not hexadecimal`);
  data.add(Uint8Array.fromHex(text));
};

const parameters: Field = (data) => data.add(readServiceParameters(data.left.splice(0)));

/** RFC 1035 section 3.3 and later. */
const FIELDS: ReadonlyMap<number, readonly Field[]> = new Map(
  ([
    ["A", address(4)],
    ["AAAA", address(6)],
    ["NS CNAME PTR DNAME MD MF MB MG MR", name("the name")],
    ["TXT SPF AVC NINFO RESINFO", strings],
    ["SVCB HTTPS", u16("the priority"), name("the target"), parameters],
    ["MX KX RT AFSDB LP", u16("the preference"), name("the name")],
    ["RP MINFO", name("the first name"), name("the second name")],
    [
      "SOA",
      ...[name("the primary server"), name("the mailbox"), u32("the serial number")],
      ...[seconds("refresh"), seconds("retry"), seconds("expire"), seconds("minimum")],
    ],
    ["SRV", u16("the priority"), u16("the weight"), u16("the port"), name("the target")],
    ["HINFO", string("the CPU"), string("the operating system")],
    [
      "NAPTR",
      ...[u16("the order"), u16("the preference"), string("flags"), string("services")],
      ...[string("the expression"), name("the replacement")],
    ],
    ["CAA", u8("flags"), string("the tag"), octets("the value")],
    ["URI", u16("the priority"), u16("the weight"), octets("the target")],
    [
      "DS CDS DLV",
      ...[u16("the key tag"), u8("the algorithm"), u8("the digest type")],
      hexadecimal("the digest"),
    ],
    [
      "TLSA SMIMEA",
      ...[u8("the usage"), u8("the selector"), u8("the matching type")],
      hexadecimal("the certificate's data"),
    ],
    ["SSHFP", u8("the algorithm"), u8("the fingerprint type"), hexadecimal("the fingerprint")],
  ] satisfies [types: string, ...Field[]][]).flatMap(([types, ...fields]) =>
    types.split(" ").map((type) => [typeNumber(type)!, fields] as const)
  ),
);

/** Reads data or `\# LENGTH HEX` (RFC 3597 section 5). Throws `SyntaxError` or `RangeError`. */
export function readRecordData(type: number, words: readonly Word[]): Uint8Array {
  const data = new DataReader(words);
  if (words[0]?.text === "\\#" && !words[0].quoted) {
    data.word("");
    const { text } = data.word("the length");
    hexadecimal("the data")(data);
    const octets = data.finish();
    if (String(octets.length) !== text) {
      throw new SyntaxError(`the data has ${octets.length} octets and not ${text}`);
    }
    return octets;
  }
  const fields = FIELDS.get(type);
  if (fields === undefined) {
    throw new SyntaxError(`data of type ${typeText(type)} must be written as \\# LENGTH HEX`);
  }
  for (const read of fields) read(data);
  return data.finish();
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90` or `1h30m`; null if invalid or over 32 bits. */
export function readSeconds(text: string): number | null {
  if (!/^([0-9]+[smhdw]?)+$/i.test(text)) return null;
  let seconds = 0;
  for (const [, number, unit] of text.toLowerCase().matchAll(/([0-9]+)([smhdw]?)/g)) {
    seconds += Number(number) * (UNITS[unit!] ?? 1);
  }
  return seconds < 2 ** 32 ? seconds : null;
}
