import { isSubnet, SUBNET as NETWORK } from "../../../dns/client_subnet.ts";
import { FLAG, HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../../dns/constants.ts";
import { KIND, MAX_RECORDS, ResponseScanner } from "../../../dns/response_scan.ts";
import { Exchange } from "../../../engine/exchange/exchange.ts";
import { copyWords, Memory } from "../../../engine/memory.ts";
import type { HashKey } from "../../../engine/question/keyed_hash.ts";
import { readStoredQuestion } from "../../../engine/question/read.ts";
import { NO_SCOPE, Response } from "../../../engine/response/response.ts";
import { scopeOf, SUBNET_HEAD } from "../store/entries.ts";
import * as ROW from "../store/row.ts";
import type { Store } from "../store/store.ts";
import { FOR } from "../store/subnets.ts";
import type { LoadReply, LoadRequest, SaveReply, SaveRequest } from "./requests.ts";

/*
 * An entry in a slice (`snapshot_file.ts`); little-endian:
 *
 *   0   u32  TTL in seconds
 *   4   u32  age in tenths of a second
 *   8   u32  queries without a gap
 *   12  u16  length of the message
 *   14  u16  number of records
 *   16  u8   class: 0 success, 1 denial
 *   17  u8   the bits `PERSISTED` of a row's STATE: DO 1, CD 2, main queue 4, uses 8 and 16
 *   18  u8   bytes of client subnet: 0 for none, 2 for all clients, or 2 and those of a network
 *   19  u8   zero
 *   20  u32  extended error plus one, without its text; 0 for none
 *   24  message: its question in lower case, id 0
 *       ttl table: a u16 for each record, at the next multiple of two
 *       client subnet (RFC 7871): u8 length of the network, u8 scope (255 for none), network as in
 *       an option
 *       zeros up to a multiple of eight
 */
const TTL = 0;
const AGE = 4;
const HITS = 8;
const LENGTH = 12;
const RECORDS = 14;
const CLASS_OF = 16;
const STATE = 17;
const SUBNET = 18;
const RESERVED = 19;
const ERROR = 20;
const MESSAGE = 24;

/** RFC 8914 section 2. */
const MAX_ERROR = 0xffff;
const ROWS_A_SLICE = 1000;
const MAX_ENTRY_SIZE = MESSAGE + MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS + 32;
const MAX_AGE_TENTHS = 0x3fffffff;

const CLASSES = ["success", "denial"] as const;
const OTHER = { success: "denial", denial: "success" } as const;

/** Stores to save and load; a flush replaces them. */
export interface SavedContent {
  readonly success: Store;
  readonly denial: Store;
}

/** Cache to save or load. */
export interface SnapshotTarget {
  readonly content: SavedContent;
  readonly maxTtlSeconds: { readonly success: number; readonly denial: number };
  readonly staleSeconds: number;
  readonly bothClasses: boolean;
  readonly ecs: boolean;
  readonly hashKey: HashKey;
  keeps(exchange: Exchange, store: "success" | "denial"): boolean;
}

/** Saves cache entries in slices, and loads untrusted slices. */
export class Snapshot {
  readonly #target: SnapshotTarget;
  readonly #response = new Response(new Memory(8));
  readonly #exchange = new Exchange(new Memory(8));
  readonly #scanner = new ResponseScanner();

  constructor(target: SnapshotTarget) {
    this.#target = target;
  }

  save({ memory: shared, from }: SaveRequest, now: number): SaveReply {
    const memory = asMemory(shared);
    const reply: SaveReply = { sizeBytes: 0, entries: 0, next: null };
    const store = this.#target.content[CLASSES[from.store]!];
    const { rows } = store;
    const lastRow = Math.min(rows.length, from.row + ROWS_A_SLICE * ROW.STRIDE);
    const room = memory.bytes.length - MAX_ENTRY_SIZE;
    let row = from.row;
    for (; row < lastRow && reply.sizeBytes <= room; row += ROW.STRIDE) {
      if (rows[row + ROW.ADDRESS] === -1) continue;
      const age = (now - rows[row + ROW.STORED]!) / 10;
      if (age >= store.ttlOf(row) + this.#target.staleSeconds) continue;
      // Empty responses live two seconds.
      if (store === this.#target.content.success && !store.hasAnswer(row)) continue;
      store.read(row, this.#response);
      reply.sizeBytes = this.#write(memory, reply.sizeBytes, { store, row, now });
      reply.entries++;
    }
    if (row < rows.length) reply.next = { store: from.store, row };
    else if (from.store + 1 < CLASSES.length) reply.next = { store: from.store + 1, row: 0 };
    return reply;
  }

  load(request: LoadRequest, now: number): LoadReply {
    const memory = asMemory(request.memory);
    const end = Math.min(request.sizeBytes, memory.bytes.length);
    const reply: LoadReply = { next: request.from, taken: 0, left: 0, malformed: 0 };
    for (let i = 0; i < request.most && reply.next >= 0 && reply.next < end; i++) {
      const at = reply.next;
      reply.next = nextEntry(memory, at, end);
      if (reply.next < 0) break;
      if (!this.#isGood(memory, at)) reply.malformed++;
      else if (this.#insert(memory, at, request.elapsedTenths, now)) reply.taken++;
      else reply.left++;
    }
    return reply;
  }

  #write(
    memory: Memory,
    at: number,
    { store, row, now }: { store: Store; row: number; now: number },
  ): number {
    const { rows } = store;
    const { length, ttlCount, memory: from, offset, extendedError } = this.#response;
    const { bytes, view } = memory;
    const subnet = store.subnetSize(row);
    const subnetAt = store.subnetAt(row);
    view.setUint32(at + TTL, rows[row + ROW.TTL]!, true);
    view.setUint32(at + AGE, Math.max(0, now - rows[row + ROW.STORED]!), true);
    view.setUint32(at + HITS, rows[row + ROW.HITS]!, true);
    view.setUint16(at + LENGTH, length, true);
    view.setUint16(at + RECORDS, ttlCount, true);
    bytes[at + CLASS_OF] = store === this.#target.content.success ? 0 : 1;
    bytes[at + STATE] = rows[row + ROW.STATE]! & ROW.PERSISTED;
    bytes[at + SUBNET] = subnet;
    bytes[at + RESERVED] = 0;
    view.setUint32(at + ERROR, extendedError + 1, true);
    const messageAt = at + MESSAGE;
    const tableEnd = ((length + 1) & ~1) + 2 * ttlCount;
    copyWords(from, offset, memory, messageAt, tableEnd);
    view.setUint16(messageAt, 0);
    for (let i = 0; i < subnet; i++) bytes[messageAt + tableEnd + i] = from.bytes[subnetAt + i]!;
    // Padding must not leak old data.
    if ((length & 1) !== 0) bytes[messageAt + length] = 0;
    const size = tableEnd + subnet;
    const end = messageAt + ((size + 7) & ~7);
    bytes.fill(0, messageAt + size, end);
    return end;
  }

  /** Whether an entry may be served. Reads its question into `#exchange`. */
  #isGood(memory: Memory, at: number): boolean {
    const { bytes, view } = memory;
    const length = view.getUint16(at + LENGTH, true);
    const records = view.getUint16(at + RECORDS, true);
    const messageAt = at + MESSAGE;
    const tableAt = messageAt + ((length + 1) & ~1);
    const subnetAt = tableAt + 2 * records;
    const subnet = bytes[at + SUBNET]!;
    if (length < HEADER_SIZE || view.getUint32(at + TTL, true) > 0x7fffffff) return false;
    if (bytes[at + CLASS_OF]! >= CLASSES.length) return false;
    if (view.getUint32(at + ERROR, true) > MAX_ERROR + 1) return false;
    const flags = view.getUint16(messageAt + 2);
    if ((flags & (FLAG.QR | FLAG.OPCODE | FLAG.TC)) !== FLAG.QR) return false;

    const exchange = this.#exchange;
    const state = bytes[at + STATE]!;
    exchange.memory = memory;
    exchange.offset = messageAt;
    exchange.length = length;
    exchange.dnssecOk = (state & ROW.DO) !== 0;
    exchange.flags = FLAG.RD | ((state & ROW.CD) !== 0 ? FLAG.CD : 0);
    exchange.ecsLength = 0;
    if (!readStoredQuestion(exchange, this.#target.hashKey)) return false;
    if (subnet > 0) {
      const size = subnet - SUBNET_HEAD;
      const networkAt = subnetAt + SUBNET_HEAD;
      if (size < 0 || bytes[subnetAt] !== size) return false;
      if (size > 0 && !isSubnet(bytes, networkAt, size)) return false;
      exchange.ecsAt = networkAt - messageAt;
      exchange.ecsLength = size;
    }

    const scanner = this.#scanner;
    if (!scanner.scan(bytes, view, messageAt, length)) return false;
    if (scanner.length !== length || scanner.edns || scanner.ttlCount !== records) return false;
    for (let i = 0; i < records; i++) {
      if (view.getUint16(tableAt + 2 * i, true) !== scanner.ttls[i]) return false;
    }
    const { kind } = scanner;
    const denial = kind === KIND.NXDOMAIN || kind === KIND.NODATA;
    return bytes[at + CLASS_OF] === 0 ? kind === KIND.SUCCESS : denial;
  }

  #insert(memory: Memory, at: number, elapsedTenths: number, now: number): boolean {
    const { maxTtlSeconds, staleSeconds, bothClasses, ecs, keeps } = this.#target;
    const { view, bytes } = memory;
    const name = CLASSES[bytes[at + CLASS_OF]!]!;
    const store = this.#target.content[name];
    const age = view.getUint32(at + AGE, true) + elapsedTenths;
    const ttlSeconds = Math.min(view.getUint32(at + TTL, true), maxTtlSeconds[name]);
    const expired = age > MAX_AGE_TENTHS || age / 10 >= ttlSeconds + staleSeconds;
    const exchange = this.#exchange;
    const subnet = bytes[at + SUBNET]! > 0;
    if (ttlSeconds === 0 || expired || (subnet && !ecs)) return false;
    let prefix: number = FOR.NO_SUBNET;
    if (subnet) prefix = FOR.EVERYBODY;
    if (exchange.ecsLength > 0) prefix = bytes[exchange.offset + exchange.ecsAt + NETWORK.SOURCE]!;
    // Entries stored since the start are newer.
    if (store.rowFor(exchange, prefix) >= 0) return false;
    if (!bothClasses && this.#target.content[OTHER[name]].rowFor(exchange, prefix) >= 0) {
      return false;
    }
    if (!keeps(exchange, name)) return false;
    const response = this.#response;
    response.memory = memory;
    response.offset = exchange.offset;
    response.length = exchange.length;
    response.ttlsAt = response.offset + ((response.length + 1) & ~1);
    response.ttlCount = view.getUint16(at + RECORDS, true);
    response.extendedError = view.getUint32(at + ERROR, true) - 1;
    response.errorText.length = 0;
    response.ecsScope = subnet
      ? scopeOf(bytes[exchange.offset + exchange.ecsAt - 1]!)
      : NO_SCOPE.NEEDED;
    const row = store.insert(exchange, response, response.flags, ttlSeconds, now, prefix);
    if (row < 0) return false;
    const hits = view.getUint32(at + HITS, true) & 0x7fffffff;
    store.restore(row, { storedAt: now - age, hits, state: bytes[at + STATE]! });
    return true;
  }
}

/** -1 if it exceeds `end`. */
function nextEntry({ bytes, view }: Memory, at: number, end: number): number {
  if (at < 0 || (at & 7) !== 0 || at + MESSAGE > end) return -1;
  const size = ((view.getUint16(at + LENGTH, true) + 1) & ~1) +
    2 * view.getUint16(at + RECORDS, true) + bytes[at + SUBNET]!;
  const next = at + MESSAGE + ((size + 7) & ~7);
  return next > end ? -1 : next;
}

/** The other thread does not touch the memory meanwhile. */
function asMemory(shared: SharedArrayBuffer): Memory {
  return new Memory(shared as unknown as ArrayBuffer);
}
