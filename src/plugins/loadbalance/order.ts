import { HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { formatName } from "../../dns/name.ts";
import { isInNetwork, type Network } from "../../dns/network.ts";
import { expandName } from "../../dns/names/walk.ts";
import type { Exchange, RecordOrder } from "../../engine/exchange/exchange.ts";
import { Memory } from "../../engine/memory.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import type { LoadbalanceOptions, NameWeights } from "./options.ts";

/** Owner pointer, type, class, TTL and data length. */
const PREFIX_SIZE = 12;
const POINTER_TO_QNAME = 0xc000 | HEADER_SIZE;
/** Longer answers are only partly ordered. */
const MAX_ADDRESSES = 2048;
const DEFAULT_WEIGHT = 1;

interface Weights {
  readonly labelCount: number;
  readonly addresses: NameWeights["addresses"];
}

/** Swaps records of equal size with pointers as owners in the client's copy. Aliases stay first. */
export class AddressOrder implements RecordOrder {
  readonly #prefer: readonly Network[];
  readonly #random: () => number;
  /** Null for `round_robin`. */
  #weights: { table: ZoneTable<Weights>; names: ReadonlyMap<string, Weights> } | null = null;
  readonly #scratch = new Memory(MAX_ADDRESSES * (PREFIX_SIZE + 16));
  readonly #numbers = new Uint8Array(MAX_ADDRESSES);

  constructor({ prefer, weighted }: LoadbalanceOptions, random: () => number) {
    this.#prefer = prefer;
    this.#random = random;
    if (weighted !== null) this.weigh(weighted.names);
  }

  weigh(names: readonly NameWeights[]): void {
    const all = names.map(({ name, addresses }) => {
      const labelCount = name === "." ? 0 : name.split(".").length - 1;
      return [name, { labelCount, addresses }] as const;
    });
    this.#weights = { table: new ZoneTable(all), names: new Map(all) };
  }

  arrange(exchange: Exchange, out: Memory, outOffset: number): void {
    const response = exchange.response!;
    const { view } = out;
    // Left after truncation.
    const answerCount = view.getUint16(outOffset + 6);
    if (answerCount < 2 || response.rcode !== RCODE.NOERROR) return;
    let first = -1;
    let count = 0;
    let type = 0;
    let end = 0;
    for (let i = 0; i < answerCount && count < MAX_ADDRESSES; i++) {
      const ttlAt = outOffset + response.ttlAt(i);
      const recordType = view.getUint16(ttlAt - 4);
      if (recordType !== TYPE.A && recordType !== TYPE.AAAA) {
        if (first >= 0) break;
        continue;
      }
      const at = ttlAt - 6;
      if (first < 0) {
        first = at;
        type = recordType;
      } else if (recordType !== type || at !== end) return;
      if (view.getUint8(at) < 0xc0) return;
      count++;
      end = ttlAt + 6 + view.getUint16(ttlAt + 4);
    }
    if (count < 2) return;
    const size = PREFIX_SIZE + (type === TYPE.A ? 4 : 16);
    if (this.#weights === null) this.#shuffle(out, first, size, count);
    else this.#choose(exchange, out, outOffset, { first, size, count });
    if (this.#prefer.length > 0) this.#sort(out, first, size, count);
  }

  #shuffle(out: Memory, first: number, size: number, count: number): void {
    for (let i = 0; i < count - 1; i++) {
      const other = i + this.#random() % (count - i);
      if (other !== i) this.#swap(out, first + i * size, first + other * size, size);
    }
  }

  /** Puts a weighted random choice first. */
  #choose(
    exchange: Exchange,
    out: Memory,
    outOffset: number,
    { first, size, count }: { first: number; size: number; count: number },
  ): void {
    const weights = this.#weightsOf(exchange, out, outOffset, first);
    const numbers = this.#numbers;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const at = first + i * size + PREFIX_SIZE;
      numbers[i] = weights === null
        ? DEFAULT_WEIGHT
        : weightOf(weights, out.bytes, at, size - PREFIX_SIZE);
      sum += numbers[i]!;
    }
    let left = this.#random() % sum;
    let chosen = 0;
    while (left >= numbers[chosen]!) left -= numbers[chosen++]!;
    if (chosen > 0) this.#swap(out, first, first + chosen * size, size);
  }

  #weightsOf(exchange: Exchange, out: Memory, outOffset: number, at: number): Weights | null {
    const { table, names } = this.#weights!;
    if (out.view.getUint16(at) === POINTER_TO_QNAME) {
      const weights = table.match(exchange);
      return weights?.labelCount === exchange.labelCount ? weights : null;
    }
    const owner = expandName(out.bytes, outOffset, at);
    return owner === null ? null : names.get(formatName(owner.name).toLowerCase()) ?? null;
  }

  /** Puts preferred networks first, in order. */
  #sort(out: Memory, first: number, size: number, count: number): void {
    const { bytes } = out;
    const sorted = this.#scratch.bytes;
    const placed = this.#numbers;
    placed.fill(0, 0, count);
    let to = 0;
    for (let network = 0; network <= this.#prefer.length; network++) {
      const wanted = this.#prefer[network];
      for (let i = 0; i < count; i++) {
        const at = first + i * size;
        if (placed[i] !== 0) continue;
        const addressAt = at + PREFIX_SIZE;
        if (wanted && !isInNetwork(wanted, bytes, addressAt, size - PREFIX_SIZE)) continue;
        placed[i] = 1;
        for (let j = 0; j < size; j++) sorted[to++] = bytes[at + j]!;
      }
    }
    for (let i = 0; i < to; i++) bytes[first + i] = sorted[i]!;
  }

  #swap({ bytes }: Memory, a: number, b: number, size: number): void {
    for (let i = 0; i < size; i++) {
      const octet = bytes[a + i]!;
      bytes[a + i] = bytes[b + i]!;
      bytes[b + i] = octet;
    }
  }
}

function weightOf({ addresses }: Weights, bytes: Uint8Array, at: number, size: number): number {
  for (const { octets, weight } of addresses) {
    let i = octets.length === size ? 0 : -1;
    while (i >= 0 && i < size && octets[i] === bytes[at + i]) i++;
    if (i === size) return weight;
  }
  return DEFAULT_WEIGHT;
}
