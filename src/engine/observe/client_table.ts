/**
 * Names of clients, in one buffer from the control plane:
 *
 * ```
 *  word 0    1       2       3       4            5               6      7
 *  | entries | slots | key 0 | key 1 | namespaces | namespaces at | size | 0 |
 *  | slots: number of an entry plus one, 0 if empty                     |
 *  | entries of 6 words: address (IPv4 as ::ffff:a.b.c.d), namespace, name at |
 *  | namespaces: offset of a text each | texts: length in 16 bits, octets |
 * ```
 *
 * Offsets are in octets. Slots are at most a quarter full, so searches are short.
 */
import { type Address, parseAddress } from "../../dns/address.ts";
import { HashKey, hashOctets } from "../question/keyed_hash.ts";

const HEADER_WORDS = 8;
const ENTRY_WORDS = 6;
const ADDRESS_BYTES = 16;
/** Slots per entry. */
const SPARSE = 4;
/** At a quarter, a table of a thousand has 20 slots in a row. */
const MAX_PROBES = 64;

/** 256 pods on each of 256 nodes. */
export const MAX_CLIENT_NAMES = 65_536;
/** Of names and namespaces, in octets. */
export const MAX_CLIENT_NAME_BYTES = 4 * 2 ** 20;
/** A namespace (63), a slash and a pod (253). */
export const MAX_CLIENT_NAME_LENGTH = 317;

/** A client's name, perhaps with a namespace and slash. */
export interface ClientName {
  readonly address: string;
  readonly name: string;
}

/** Safe on terminals, in JSON and in labels. */
export function isClientName(text: string): boolean {
  return text.length <= MAX_CLIENT_NAME_LENGTH && /^[!#-[\]-~]+$/.test(text);
}

/** Before the slash. Kubernetes namespaces have no parentheses. */
export function namespaceOf(name: string): string {
  const slash = name.indexOf("/");
  if (slash > 0) return name.slice(0, slash);
  return name.startsWith("(") ? name : "(none)";
}

/** Sixteen octets, IPv4 mapped; null if invalid. Ignores scopes. */
export function mappedAddress(text: string): Uint8Array | null {
  const bytes = parseAddress(text.split("%", 1)[0]!);
  if (bytes === null || bytes.length === ADDRESS_BYTES) return bytes;
  const mapped = new Uint8Array(ADDRESS_BYTES);
  mapped[10] = mapped[11] = 0xff;
  mapped.set(bytes, 12);
  return mapped;
}

/** Builds a table. An address's first name counts; entries beyond a bound are left out. */
export function buildClientTable(names: Iterable<ClientName>, key: HashKey): ArrayBuffer {
  const rows: { bytes: Uint8Array; namespace: number; name: string }[] = [];
  const known = new Set<string>();
  const namespaces = new Map<string, number>();
  let textBytes = 0;
  const cost = (text: string) => text.length + 4;
  for (const { address, name } of names) {
    const bytes = mappedAddress(address);
    if (bytes === null || !isClientName(name)) continue;
    const id = String.fromCharCode(...bytes);
    const namespace = namespaceOf(name);
    const more = cost(name) + (namespaces.has(namespace) ? 0 : cost(namespace) + 4);
    if (known.has(id)) continue;
    if (rows.length === MAX_CLIENT_NAMES || textBytes + more > MAX_CLIENT_NAME_BYTES) break;
    known.add(id);
    textBytes += more;
    rows.push({
      bytes,
      name,
      namespace: namespaces.getOrInsert(namespace, namespaces.size),
    });
  }
  return writeTable(rows, [...namespaces.keys()], key);
}

function writeTable(
  rows: readonly { bytes: Uint8Array; namespace: number; name: string }[],
  namespaces: readonly string[],
  key: HashKey,
): ArrayBuffer {
  let slots = SPARSE;
  while (slots < SPARSE * rows.length) slots *= 2;
  const entriesAt = HEADER_WORDS + slots;
  const namespacesAt = entriesAt + ENTRY_WORDS * rows.length;
  const textsAt = 4 * (namespacesAt + namespaces.length);
  const texts = [...rows.map(({ name }) => name), ...namespaces];
  const size = texts.reduce((sum, text) => sum + 2 + text.length, textsAt);
  const words = new Uint32Array(Math.ceil(size / 4));
  const bytes = new Uint8Array(words.buffer);
  let at = textsAt;
  const writeText = (text: string): number => {
    const start = at;
    bytes[at++] = text.length >> 8;
    bytes[at++] = text.length & 0xff;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    return start;
  };
  words.set([rows.length, slots, key.k0, key.k1, namespaces.length, 4 * namespacesAt, size]);
  rows.forEach((row, i) => {
    const entry = entriesAt + ENTRY_WORDS * i;
    bytes.set(row.bytes, 4 * entry);
    words[entry + 4] = row.namespace;
    words[entry + 5] = writeText(row.name);
    let slot = hashOctets(key, row.bytes, 0, ADDRESS_BYTES) & (slots - 1);
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      if (words[HEADER_WORDS + slot] === 0) {
        words[HEADER_WORDS + slot] = i + 1;
        break;
      }
      slot = (slot + 1) & (slots - 1);
    }
  });
  namespaces.forEach((text, i) => words[namespacesAt + i] = writeText(text));
  return words.buffer;
}

/** A built table. Searching allocates nothing. */
export class ClientTable {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #key: HashKey;
  readonly #mask: number;
  readonly #entriesAt: number;
  readonly #sought = new Uint8Array(ADDRESS_BYTES);
  readonly #soughtWords = new Uint32Array(this.#sought.buffer);

  constructor(readonly buffer: ArrayBuffer) {
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#key = new HashKey(this.#words[2]!, this.#words[3]!);
    this.#mask = this.#words[1]! - 1;
    this.#entriesAt = HEADER_WORDS + this.#words[1]!;
  }

  get size(): number {
    return this.#words[0]!;
  }

  get namespaces(): string[] {
    const at = this.#words[5]! / 4;
    return Array.from({ length: this.#words[4]! }, (_, i) => this.#text(this.#words[at + i]!));
  }

  /** Entry's number, or -1. */
  find({ family, bytes }: Address): number {
    const sought = this.#sought;
    if (family === 6) {
      for (let i = 0; i < ADDRESS_BYTES; i++) sought[i] = bytes[i]!;
    } else {
      for (let i = 0; i < 10; i++) sought[i] = 0;
      sought[10] = sought[11] = 0xff;
      for (let i = 0; i < 4; i++) sought[12 + i] = bytes[i]!;
    }
    return this.#find();
  }

  findText(address: string): number {
    const bytes = mappedAddress(address);
    if (bytes === null) return -1;
    this.#sought.set(bytes);
    return this.#find();
  }

  namespaceAt(entry: number): number {
    return this.#words[this.#entriesAt + ENTRY_WORDS * entry + 4]!;
  }

  nameAt(entry: number): string {
    return this.#text(this.#words[this.#entriesAt + ENTRY_WORDS * entry + 5]!);
  }

  #find(): number {
    const words = this.#words;
    const sought = this.#soughtWords;
    let slot = hashOctets(this.#key, this.#sought, 0, ADDRESS_BYTES) & this.#mask;
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      const entry = words[HEADER_WORDS + slot]! - 1;
      if (entry < 0) return -1;
      const at = this.#entriesAt + ENTRY_WORDS * entry;
      if (
        words[at] === sought[0] && words[at + 1] === sought[1] &&
        words[at + 2] === sought[2] && words[at + 3] === sought[3]
      ) return entry;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }

  #text(at: number): string {
    const length = (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
    return String.fromCharCode(...this.#bytes.subarray(at + 2, at + 2 + length));
  }
}
