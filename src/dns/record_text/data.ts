import { TYPE } from "../constants.ts";
import { parseName } from "../name.ts";
import { typeNumber, typeText } from "../mnemonics.ts";
import { readAddress } from "./address.ts";
import { readServiceParameters } from "./service_parameters.ts";
import { octetsOf, type Word } from "./words.ts";

/** Longest character string (RFC 1035 section 3.3). */
const MAX_STRING = 255;

/** Reads the words of a record's data, one after the other, and collects its octets. */
class DataReader {
  readonly #words: readonly Word[];
  readonly #octets: number[] = [];
  #at = 0;

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  get more(): boolean {
    return this.#at < this.#words.length;
  }

  word(what: string): Word {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new SyntaxError(`${what} is missing`);
    return word;
  }

  add(octets: Iterable<number>): void {
    for (const octet of octets) this.#octets.push(octet);
  }

  name(what: string): void {
    this.add(parseName(this.word(what).text));
  }

  number(what: string, octets: number, value = this.word(what).text): void {
    const number = /^[0-9]+$/.test(value) ? Number(value) : NaN;
    if (!(number < 256 ** octets)) throw new SyntaxError(`${what} ${value} is not a number`);
    for (let i = octets - 1; i >= 0; i--) this.add([Math.floor(number / 256 ** i) % 256]);
  }

  seconds(what: string): void {
    const { text } = this.word(what);
    const seconds = readSeconds(text);
    if (seconds === null) throw new SyntaxError(`${what} ${text} is not a time`);
    this.number(what, 4, String(seconds));
  }

  string(what: string): void {
    const octets = octetsOf(this.word(what));
    if (octets.length > MAX_STRING) throw new SyntaxError(`${what} is over ${MAX_STRING} octets`);
    this.add([octets.length, ...octets]);
  }

  address(family: 4 | 6): void {
    const { text } = this.word("the address");
    this.add(readAddress(text, family));
  }

  /** The words that are left, joined: digits of base 16 may be in groups. */
  hexadecimal(what: string): void {
    let text = "";
    while (this.more) text += this.word(what).text;
    if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new SyntaxError(`${what} is not hexadecimal`);
    this.add(Uint8Array.fromHex(text));
  }

  finish(): Uint8Array {
    if (this.more) throw new SyntaxError(`unexpected ${JSON.stringify(this.word("").text)}`);
    return Uint8Array.from(this.#octets);
  }
}

const oneName = (data: DataReader) => data.name("the name");
const strings = (data: DataReader) => {
  do data.string("the text"); while (data.more);
};
const service = (data: DataReader) => {
  data.number("the priority", 2);
  data.name("the target");
  const words: Word[] = [];
  while (data.more) words.push(data.word(""));
  data.add(readServiceParameters(words));
};

/** How the data of each type is written, by type (RFC 1035 section 3.3 and the types' own RFCs). */
const READERS = new Map<number, (data: DataReader) => void>([
  [TYPE.A, (data) => data.address(4)],
  [TYPE.AAAA, (data) => data.address(6)],
  ...["NS", "CNAME", "PTR", "DNAME", "MD", "MF", "MB", "MG", "MR"].map((type) =>
    [typeNumber(type)!, oneName] as const
  ),
  ...["TXT", "SPF", "AVC", "NINFO", "RESINFO"].map((type) => [typeNumber(type)!, strings] as const),
  ...["SVCB", "HTTPS"].map((type) => [typeNumber(type)!, service] as const),
  ...["MX", "KX", "RT", "AFSDB", "LP"].map((type) =>
    [typeNumber(type)!, (data: DataReader) => {
      data.number("the preference", 2);
      data.name("the name");
    }] as const
  ),
  ...["RP", "MINFO"].map((type) =>
    [typeNumber(type)!, (data: DataReader) => {
      data.name("the first name");
      data.name("the second name");
    }] as const
  ),
  [typeNumber("SOA")!, (data) => {
    data.name("the primary server");
    data.name("the mailbox");
    data.number("the serial number", 4);
    for (const what of ["refresh", "retry", "expire", "minimum"]) data.seconds(what);
  }],
  [typeNumber("SRV")!, (data) => {
    for (const what of ["the priority", "the weight", "the port"]) data.number(what, 2);
    data.name("the target");
  }],
  [typeNumber("HINFO")!, (data) => {
    data.string("the CPU");
    data.string("the operating system");
  }],
  [typeNumber("NAPTR")!, (data) => {
    data.number("the order", 2);
    data.number("the preference", 2);
    for (const what of ["flags", "services", "the expression"]) data.string(what);
    data.name("the replacement");
  }],
  [typeNumber("CAA")!, (data) => {
    data.number("flags", 1);
    data.string("the tag");
    data.add(octetsOf(data.word("the value")));
  }],
  [typeNumber("URI")!, (data) => {
    data.number("the priority", 2);
    data.number("the weight", 2);
    data.add(octetsOf(data.word("the target")));
  }],
  ...["DS", "CDS", "DLV"].map((type) =>
    [typeNumber(type)!, (data: DataReader) => {
      data.number("the key tag", 2);
      data.number("the algorithm", 1);
      data.number("the digest type", 1);
      data.hexadecimal("the digest");
    }] as const
  ),
  ...["TLSA", "SMIMEA"].map((type) =>
    [typeNumber(type)!, (data: DataReader) => {
      for (const what of ["the usage", "the selector", "the matching type"]) data.number(what, 1);
      data.hexadecimal("the certificate's data");
    }] as const
  ),
  [typeNumber("SSHFP")!, (data) => {
    data.number("the algorithm", 1);
    data.number("the fingerprint type", 1);
    data.hexadecimal("the fingerprint");
  }],
]);

/**
 * The wire form of a record's data. Data of any type may stand as `\# LENGTH HEX` (RFC 3597 section
 * 5); other types than those above must.
 *
 * Throws `SyntaxError`, or what `parseName` throws.
 */
export function readRecordData(type: number, words: readonly Word[]): Uint8Array {
  const data = new DataReader(words);
  if (words[0]?.text === "\\#" && !words[0].quoted) {
    data.word("");
    const { text } = data.word("the length");
    data.hexadecimal("the data");
    const octets = data.finish();
    if (String(octets.length) !== text) {
      throw new SyntaxError(`the data has ${octets.length} octets and not ${text}`);
    }
    return octets;
  }
  const read = READERS.get(type);
  if (read === undefined) {
    throw new SyntaxError(`data of type ${typeText(type)} must be written as \\# LENGTH HEX`);
  }
  read(data);
  return data.finish();
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of a number or of a time such as `1h30m`; null for anything else or over 32 bits. */
export function readSeconds(text: string): number | null {
  if (!/^([0-9]+[smhdw]?)+$/i.test(text)) return null;
  let seconds = 0;
  for (const [, number, unit] of text.toLowerCase().matchAll(/([0-9]+)([smhdw]?)/g)) {
    seconds += Number(number) * (UNITS[unit!] ?? 1);
  }
  return seconds < 2 ** 32 ? seconds : null;
}
