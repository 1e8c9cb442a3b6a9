import { MAX_ADDRESS_TEXT, readAddress } from "./address_text.ts";
import { NameText } from "./name_text.ts";

/** Takes what a hosts file says. */
export interface HostsSink {
  /** The next line's address: its first `size` bytes, 4 or 16. */
  address(bytes: Uint8Array, size: 4 | 16): void;
  /** A name of that address, in lower-case wire form. */
  name(bytes: Uint8Array, length: number): void;
}

/** Where in a line the next octet stands. */
const START = 0;
const ADDRESS = 1;
/** In an address behind its `%`; scopes do not count. */
const SCOPE = 2;
const BETWEEN = 3;
const NAME = 4;
/** Up to the end of the line: a comment, or behind an address that cannot be read. */
const REST = 5;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const HASH = 0x23;
const PERCENT = 0x25;
const BOM = [0xef, 0xbb, 0xbf] as const;

/**
 * Reads the lines of hosts files in pieces of any size. It holds one address and one name, however
 * long a line is, and looks at each octet once.
 */
export class HostsLines {
  /** Lines that have ended. */
  count = 0;
  /** Lines without an address that can be read, or without a name. */
  skippedLines = 0;
  /** Names that cannot be read. */
  skippedNames = 0;
  /** Number of the first line of which something was skipped; 0 for none. */
  firstSkipped = 0;
  readonly #sink: HostsSink;
  #state: number = START;
  readonly #text = new Uint8Array(MAX_ADDRESS_TEXT + 1);
  #textLength = 0;
  readonly #address = new Uint8Array(16);
  readonly #name = new NameText();
  /** Names on the line under way, those that cannot be read included. */
  #names = 0;
  /** The last octet of the file so far. */
  #last = NEWLINE;
  /** Octets of a byte order mark that the file has begun with. */
  #mark = 0;

  constructor(sink: HostsSink) {
    this.#sink = sink;
  }

  /** Number of the line under way. */
  get current(): number {
    return this.count + 1;
  }

  /** Takes the next octets of a file. */
  push(bytes: Uint8Array, length: number): void {
    let i = 0;
    while (this.#mark < BOM.length && i < length) {
      if (bytes[i] !== BOM[this.#mark]) {
        this.#takePartOfMark();
        break;
      }
      this.#mark++;
      i++;
    }
    if (i < length) this.#last = bytes[length - 1]!;
    for (; i < length; i++) this.#take(bytes[i]!);
  }

  /** The file ends, with or without a line feed; another one may follow. */
  end(): void {
    if (this.#mark < BOM.length) this.#takePartOfMark();
    if (this.#last !== NEWLINE) this.#take(NEWLINE);
    this.#last = NEWLINE;
    this.#mark = 0;
  }

  /** What looked like a byte order mark is none; it begins the first line. */
  #takePartOfMark(): void {
    const length = this.#mark;
    this.#mark = BOM.length;
    for (let i = 0; i < length; i++) this.#take(this.#last = BOM[i]!);
  }

  #take(octet: number): void {
    // In the order of how often they come.
    if (this.#state === NAME) {
      if (octet > SPACE && octet !== HASH) return this.#name.push(octet);
    } else if (this.#state === REST) {
      if (octet !== NEWLINE) return;
    }
    if (octet === NEWLINE) return this.#endLine();
    if (octet === HASH) {
      this.#endWord();
      this.#endEntry();
      this.#state = REST;
      return;
    }
    // Tab, vertical tab, form feed, carriage return and space; other controls are octets of names.
    if (octet === SPACE || (octet >= TAB && octet <= RETURN)) return this.#endWord();
    switch (this.#state) {
      case START:
        this.#state = ADDRESS;
        this.#textLength = 0;
        this.#names = 0;
        return this.#takeAddress(octet);
      case ADDRESS:
        return this.#takeAddress(octet);
      case BETWEEN:
        this.#state = NAME;
        this.#name.begin();
        return this.#name.push(octet);
      case NAME:
        return this.#name.push(octet);
    }
  }

  #takeAddress(octet: number): void {
    if (octet === PERCENT) this.#state = SCOPE;
    else if (this.#textLength <= MAX_ADDRESS_TEXT) this.#text[this.#textLength++] = octet;
  }

  #endWord(): void {
    if (this.#state === NAME) {
      this.#state = BETWEEN;
      this.#names++;
      const length = this.#name.finish();
      if (length > 0) return this.#sink.name(this.#name.bytes, length);
      this.skippedNames++;
      this.#noteSkipped();
    } else if (this.#state === ADDRESS || this.#state === SCOPE) {
      const size = this.#textLength > MAX_ADDRESS_TEXT
        ? 0
        : readAddress(this.#text, this.#textLength, this.#address);
      if (size === 0) {
        this.#skipLine();
        return;
      }
      this.#state = BETWEEN;
      this.#sink.address(this.#address, size);
    }
  }

  /** The entry of the line is complete. */
  #endEntry(): void {
    if (this.#state === BETWEEN && this.#names === 0) this.#skipLine();
  }

  #endLine(): void {
    this.#endWord();
    this.#endEntry();
    this.#state = START;
    this.count++;
  }

  #skipLine(): void {
    this.#state = REST;
    this.skippedLines++;
    this.#noteSkipped();
  }

  #noteSkipped(): void {
    if (this.firstSkipped === 0) this.firstSkipped = this.current;
  }
}
