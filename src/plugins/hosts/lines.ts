import { Address, parseAddress } from "../../dns/address.ts";
import { MAX_NAME_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import { TableBuilder, type TableOptions } from "./builder.ts";

/** An octet takes at most four characters (`\DDD`). */
const MAX_WORD = 4 * MAX_NAME_SIZE;

/** Expected next word of a line. */
const EXPECT = { ADDRESS: 0, NAME: 1, NOTHING: 2 } as const;

/** RFC 1035 section 2.3.4. */
const MAX_LABEL_SIZE = 63;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const HASH = 0x23;
const PERCENT = 0x25;
const DOT = 0x2e;
const BACKSLASH = 0x5c;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** Parses in pieces, in bounded memory; ordinary names make no objects. */
export class HostsLines {
  count = 0;
  skippedLines = 0;
  skippedNames = 0;
  /** First line with a skipped part, or 0. */
  firstSkipped = 0;
  readonly #builder: TableBuilder;
  #expect: number = EXPECT.ADDRESS;
  readonly #word = new Uint8Array(MAX_WORD + 1);
  #wordLength = 0;
  #names = 0;
  #addressText = "";
  #addressValid = false;
  readonly #address = new Address();
  readonly #name = new Uint8Array(MAX_WORD + 2);
  #lineOpen = false;
  /** Until a byte order mark. */
  #octets = 0;

  constructor(builder: TableBuilder) {
    this.#builder = builder;
  }

  push(bytes: Uint8Array, length: number): void {
    for (let i = 0; i < length; i++) {
      this.#take(bytes[i]!);
      if (this.#octets < BYTE_ORDER_MARK.length) this.#skipMark();
    }
  }

  /** Even without a line feed; another file may follow. */
  end(): void {
    if (this.#lineOpen) this.#take(NEWLINE);
    this.#octets = 0;
  }

  #skipMark(): void {
    if (++this.#octets < BYTE_ORDER_MARK.length) return;
    if (this.#wordLength !== BYTE_ORDER_MARK.length) return;
    if (BYTE_ORDER_MARK.some((octet, i) => this.#word[i] !== octet)) return;
    this.#wordLength = 0;
    this.#lineOpen = false;
  }

  #take(octet: number): void {
    this.#lineOpen = true;
    if (octet > SPACE && octet !== HASH) return this.#append(octet);
    // Tab, line feed, vertical tab, form feed and carriage return end a word.
    if (octet < TAB || (octet > RETURN && octet < SPACE)) return this.#append(octet);
    this.#endWord();
    if (octet !== NEWLINE && octet !== HASH) return;
    if (this.#expect === EXPECT.NAME && this.#names === 0) this.#skipLine();
    this.#expect = EXPECT.NOTHING;
    if (octet === NEWLINE) {
      this.#expect = EXPECT.ADDRESS;
      this.#lineOpen = false;
      this.count++;
    }
  }

  #append(octet: number): void {
    if (this.#expect === EXPECT.NOTHING) return;
    if (this.#wordLength <= MAX_WORD) this.#word[this.#wordLength++] = octet;
  }

  #endWord(): void {
    const length = this.#wordLength;
    if (length === 0) return;
    this.#wordLength = 0;
    if (this.#expect === EXPECT.ADDRESS) {
      if (!this.#readAddress(length)) return this.#skipLine();
      this.#expect = EXPECT.NAME;
      this.#names = 0;
      this.#builder.address(this.#address.bytes, this.#address.family === 4 ? 4 : 16);
      return;
    }
    this.#names++;
    const size = this.#readName(length);
    if (size > 0) return this.#builder.name(this.#name, size);
    this.skippedNames++;
    this.#noteSkipped();
  }

  #readAddress(length: number): boolean {
    let text = "";
    for (let i = 0; i < length && this.#word[i] !== PERCENT; i++) {
      text += String.fromCharCode(this.#word[i]!);
    }
    if (text === this.#addressText) return this.#addressValid;
    this.#addressText = text;
    const bytes = parseAddress(text);
    this.#addressValid = bytes !== null;
    if (bytes === null) return false;
    this.#address.family = bytes.length === 4 ? 4 : 6;
    this.#address.bytes.set(bytes);
    this.#address.unmap();
    return true;
  }

  /** In lower-case wire form; returns the length, 0 if invalid. */
  #readName(length: number): number {
    if (length > MAX_WORD) return 0;
    const text = this.#word;
    const wire = this.#name;
    let labelAt = 0;
    let at = 1;
    for (let i = 0; i <= length; i++) {
      const octet = i < length ? text[i]! : DOT;
      if (octet === BACKSLASH) return this.#readEscaped(length);
      if (octet !== DOT) {
        wire[at++] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
        continue;
      }
      const size = at - labelAt - 1;
      if (size > MAX_LABEL_SIZE) return 0;
      if (size > 0) {
        wire[labelAt] = size;
        labelAt = at++;
      } else if (i < length && length > 1) {
        return 0;
      }
    }
    wire[labelAt] = 0;
    return labelAt < MAX_NAME_SIZE ? labelAt + 1 : 0;
  }

  /** For names with escapes. */
  #readEscaped(length: number): number {
    const text = String.fromCharCode(...this.#word.subarray(0, length));
    try {
      // `parseName` would encode octets above ASCII as UTF-8.
      const wire = parseName(text.replace(/\\[^]|[\x80-\xff]/g, (unit) => {
        const code = unit.charCodeAt(unit.length - 1);
        return code < 0x80 ? unit : `\\${code}`;
      }));
      wire.forEach((octet, i) =>
        this.#name[i] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet
      );
      return wire.length;
    } catch {
      return 0;
    }
  }

  #skipLine(): void {
    this.#expect = EXPECT.NOTHING;
    this.skippedLines++;
    this.#noteSkipped();
  }

  #noteSkipped(): void {
    if (this.firstSkipped === 0) this.firstSkipped = this.count + 1;
  }
}

/**
 * Worst case of `::2 a b c`: four octets for two names, each with an entry, a reverse name and slots;
 * and of `1::2 a`: seven octets for 34 names above a reverse name.
 */
const WORST = { bytesPerOctet: 48, bytesPerOctetWithAncestors: 384, bytes: 4096 } as const;

/** Maximum table size for so many octets. */
export function boundOf(octets: number, hasAncestors = false): number {
  const { bytes, bytesPerOctet, bytesPerOctetWithAncestors } = WORST;
  return bytes + octets * (hasAncestors ? bytesPerOctetWithAncestors : bytesPerOctet);
}

/** Builds the table of a Corefile's entries. */
export function buildHostsTable(
  text: string,
  options: Omit<TableOptions, "maxBytes">,
): ArrayBuffer {
  const octets = new TextEncoder().encode(text);
  const maxBytes = boundOf(octets.length, options.authoritative.length > 0);
  const builder = new TableBuilder({ ...options, maxBytes });
  const lines = new HostsLines(builder);
  lines.push(octets, octets.length);
  lines.end();
  const table = builder.finish();
  if (table === null) throw new RangeError("Cannot build the table of the Corefile's entries");
  return table;
}
