import { Address } from "../../dns/address.ts";
import type { Response } from "../response/response.ts";
import { Memory } from "../memory.ts";
import { rawName } from "./raw_name.ts";
import type { SightingLine } from "./requests.ts";
import { ADDRESS_SIZE, findAddress, firstTtl, NAME_SIZE, type Sighting } from "./sighting.ts";

const NUMBERS = 8;
const TIME = 0;
const WAITED = 1;
const QTYPE = 2;
const RCODE = 3;
const ANSWERS = 4;
const TTL = 5;
const TRANSPORT = 6;
const ROW_SIZE = 8 * NUMBERS + NAME_SIZE + 2 * ADDRESS_SIZE + 2;
/** Octets. */
const MAX_REASON = 200;

/** Facts of queries, in fixed memory. Only reading a row allocates. */
export class SightingTable {
  readonly size: number;
  readonly sizeBytes: number;
  readonly #numbers: Float64Array;
  readonly #names: Uint8Array;
  readonly #clients: Uint8Array;
  readonly #addresses: Uint8Array;
  /** Of the client's address, then the answer's. */
  readonly #lengths: Uint8Array;
  readonly #sources: string[];
  readonly #upstreams: string[];
  readonly #reasons: string[];
  readonly #address = new Address();

  constructor(size: number) {
    const memory = new Memory(size * ROW_SIZE);
    const { buffer } = memory.bytes;
    const numbers = 8 * NUMBERS * size;
    const names = numbers + NAME_SIZE * size;
    const clients = names + ADDRESS_SIZE * size;
    const addresses = clients + ADDRESS_SIZE * size;
    this.size = size;
    this.sizeBytes = memory.bytes.length;
    this.#numbers = new Float64Array(buffer, 0, NUMBERS * size);
    this.#names = new Uint8Array(buffer, numbers, NAME_SIZE * size);
    this.#clients = new Uint8Array(buffer, names, ADDRESS_SIZE * size);
    this.#addresses = new Uint8Array(buffer, clients, ADDRESS_SIZE * size);
    this.#lengths = new Uint8Array(buffer, addresses, 2 * size);
    this.#sources = new Array<string>(size).fill("");
    this.#upstreams = new Array<string>(size).fill("");
    this.#reasons = new Array<string>(size).fill("");
  }

  put(row: number, sighting: Sighting, response: Response | null, timeMs: number): void {
    const { name, nameLength, client } = sighting;
    const numbers = this.#numbers;
    const at = row * NUMBERS;
    numbers[at + TIME] = timeMs;
    numbers[at + WAITED] = sighting.waitedMs;
    numbers[at + QTYPE] = sighting.qtype;
    numbers[at + RCODE] = sighting.rcode;
    numbers[at + ANSWERS] = response === null ? 0 : response.answerCount;
    numbers[at + TTL] = response === null ? -1 : firstTtl(response);
    numbers[at + TRANSPORT] = sighting.tcp ? 1 : 0;
    const nameAt = row * NAME_SIZE;
    for (let i = 0; i < nameLength; i++) this.#names[nameAt + i] = name[i]!;
    // An unreadable question has no name.
    if (nameLength === 0) this.#names[nameAt] = 0;
    const clientSize = sighting.hasClient ? client.family === 4 ? 4 : 16 : 0;
    copy(client.bytes, 0, this.#clients, row * ADDRESS_SIZE, clientSize);
    this.#lengths[2 * row] = clientSize;
    this.#putAddress(row, response);
    this.#sources[row] = sighting.source;
    this.#upstreams[row] = sighting.upstream;
    this.#reasons[row] = sighting.reason;
  }

  #putAddress(row: number, response: Response | null): void {
    const at = response === null ? -1 : findAddress(response);
    let size = 0;
    if (at >= 0) {
      const { bytes, view } = response!.memory;
      size = view.getUint16(at - 2);
      copy(bytes, at, this.#addresses, row * ADDRESS_SIZE, size);
    }
    this.#lengths[2 * row + 1] = size;
  }

  /** Copies a row of another table. */
  copy(row: number, from: SightingTable, fromRow: number): void {
    for (let i = 0; i < NUMBERS; i++) {
      this.#numbers[row * NUMBERS + i] = from.#numbers[fromRow * NUMBERS + i]!;
    }
    copy(from.#names, fromRow * NAME_SIZE, this.#names, row * NAME_SIZE, NAME_SIZE);
    copy(from.#clients, fromRow * ADDRESS_SIZE, this.#clients, row * ADDRESS_SIZE, ADDRESS_SIZE);
    copy(
      from.#addresses,
      fromRow * ADDRESS_SIZE,
      this.#addresses,
      row * ADDRESS_SIZE,
      ADDRESS_SIZE,
    );
    copy(from.#lengths, 2 * fromRow, this.#lengths, 2 * row, 2);
    this.#sources[row] = from.#sources[fromRow]!;
    this.#upstreams[row] = from.#upstreams[fromRow]!;
    this.#reasons[row] = from.#reasons[fromRow]!;
  }

  waitedMs(row: number): number {
    return this.#numbers[row * NUMBERS + WAITED]!;
  }

  asks(row: number, name: Uint8Array, nameLength: number, qtype: number): boolean {
    if (this.#numbers[row * NUMBERS + QTYPE] !== qtype) return false;
    const names = this.#names;
    const at = row * NAME_SIZE;
    if (nameLength === 0) return names[at] === 0;
    // Equal up to the root: no name continues another.
    for (let i = 0; i < nameLength; i++) if (names[at + i] !== name[i]) return false;
    return true;
  }

  asksLike(row: number, other: SightingTable, otherRow: number): boolean {
    if (
      this.#numbers[row * NUMBERS + QTYPE] !== other.#numbers[otherRow * NUMBERS + QTYPE]
    ) return false;
    const [a, b] = [row * NAME_SIZE, otherRow * NAME_SIZE];
    for (let at = 0; at < NAME_SIZE;) {
      const size = this.#names[a + at]!;
      if (size !== other.#names[b + at]) return false;
      if (size === 0) return true;
      for (let i = 1; i <= size; i++) {
        if (this.#names[a + at + i] !== other.#names[b + at + i]) return false;
      }
      at += size + 1;
    }
    return false;
  }

  line(row: number): SightingLine {
    const at = row * NUMBERS;
    const numbers = this.#numbers;
    return {
      timeMs: numbers[at + TIME]!,
      client: this.#addressText(this.#clients, row, this.#lengths[2 * row]!),
      transport: numbers[at + TRANSPORT] === 1 ? "tcp" : "udp",
      name: rawName(this.#names, row * NAME_SIZE),
      qtype: numbers[at + QTYPE]!,
      rcode: numbers[at + RCODE]!,
      answers: numbers[at + ANSWERS]!,
      address: this.#addressText(this.#addresses, row, this.#lengths[2 * row + 1]!),
      ttl: numbers[at + TTL]!,
      source: this.#sources[row]!,
      upstream: this.#upstreams[row]!,
      waitedMs: numbers[at + WAITED]!,
      reason: this.#reasons[row]!.slice(0, MAX_REASON),
    };
  }

  #addressText(from: Uint8Array, row: number, size: number): string {
    if (size === 0) return "";
    const address = this.#address;
    address.family = size === 4 ? 4 : 6;
    copy(from, row * ADDRESS_SIZE, address.bytes, 0, size);
    return address.hostname();
  }
}

function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, size: number): void {
  for (let i = 0; i < size; i++) to[toAt + i] = from[at + i]!;
}
