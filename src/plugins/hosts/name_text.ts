import { MAX_NAME_SIZE } from "../../dns/constants.ts";

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const MAX_LABEL_SIZE = 63;

/**
 * Reads a name in presentation format octet by octet into its wire form, in lower case.
 *
 * It takes what `parseName` takes: `\.` stands for the character itself, `\DDD` for an octet, and a
 * closing dot may be left out.
 */
export class NameText {
  /** The wire form, once `finish` has returned its length. */
  readonly bytes: Uint8Array = new Uint8Array(MAX_NAME_SIZE + 1);
  /** Where the next octet goes. */
  #at = 1;
  /** Where the length of the label under way goes. */
  #lengthAt = 0;
  #bad = false;
  /** The name so far is ".". */
  #root = false;
  /** Octets of an escape so far, its backslash included; 0 for none under way. */
  #escape = 0;
  readonly #digits = new Uint8Array(2);

  /** Begins a name. */
  begin(): void {
    this.#at = 1;
    this.#lengthAt = 0;
    this.#bad = false;
    this.#root = false;
    this.#escape = 0;
  }

  /** Takes the next octet of the text. */
  push(octet: number): void {
    if (this.#escape > 0) this.#unescape(octet);
    else if (octet === DOT) this.#closeLabel();
    else if (octet === BACKSLASH) this.#escape = 1;
    else this.#append(octet);
  }

  /** Length of the wire form; 0 if the text is not a name. */
  finish(): number {
    if (this.#escape === 1) return 0;
    if (this.#escape > 1) this.#appendDigits();
    if (this.#root) {
      this.bytes[0] = 0;
      return this.#bad ? 0 : 1;
    }
    // A closing dot has left an empty label behind, which is the root's.
    if (this.#at - this.#lengthAt > 1) this.#closeLabel();
    else if (this.#at === 1) return 0;
    this.bytes[this.#lengthAt] = 0;
    const length = this.#lengthAt + 1;
    return this.#bad || length > MAX_NAME_SIZE ? 0 : length;
  }

  #append(octet: number): void {
    if (this.#root || this.#at >= MAX_NAME_SIZE || this.#at - this.#lengthAt > MAX_LABEL_SIZE) {
      this.#bad = true;
    } else {
      this.bytes[this.#at++] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    }
  }

  #closeLabel(): void {
    const size = this.#at - this.#lengthAt - 1;
    if (size === 0) {
      if (this.#at === 1 && !this.#root) this.#root = true;
      else this.#bad = true;
      return;
    }
    if (this.#bad) return;
    this.bytes[this.#lengthAt] = size;
    this.#lengthAt = this.#at++;
  }

  #unescape(octet: number): void {
    const digit = octet - ZERO;
    if (digit >= 0 && digit <= 9) {
      const read = this.#escape++ - 1;
      if (read < 2) {
        this.#digits[read] = octet;
        return;
      }
      const value = 100 * (this.#digits[0]! - ZERO) + 10 * (this.#digits[1]! - ZERO) + digit;
      this.#escape = 0;
      if (value > 255) this.#bad = true;
      else this.#append(value);
    } else if (this.#escape === 1) {
      this.#escape = 0;
      this.#append(octet);
    } else {
      this.#appendDigits();
      this.push(octet);
    }
  }

  /** Fewer than three digits are no number: the first is escaped, the other stands for itself. */
  #appendDigits(): void {
    for (let i = 0; i < this.#escape - 1; i++) this.#append(this.#digits[i]!);
    this.#escape = 0;
  }
}
