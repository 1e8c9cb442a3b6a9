import { sameNetwork, SUBNET, subnetSize, writeNetwork } from "../../../dns/client_subnet.ts";
import { FLAG, HEADER_SIZE } from "../../../dns/constants.ts";
import { copyWords, type Memory } from "../../../engine/memory.ts";
import { copyFolded, upperMask } from "../../../engine/question/fold.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";
import { type Arena, offsetOf } from "./arena.ts";
import * as ROW from "./row.ts";
import { fitFor, FOR, type KeyedQuestion, sourceOf, type SubnetRule } from "./subnets.ts";

/*
 * An entry's block in the arena:
 *
 *   | message, qname in lower case | ttl table | code, length of text, text | length, scope, network |
 *   ^multiple of 8                 ^multiple of 2    ^extended error               ^client subnet
 *
 * The message's id is the number of the upstream it came from (`upstreams.ts`). Extended error and
 * client subnet are optional. The network has the prefix of the valid clients; it is empty for all
 * clients.
 */

const ERROR_SIZE = 3;
/** Octets of a client subnet before its network. */
export const SUBNET_HEAD = 2;
/** Stored scope if clients get none; exceeds any prefix length. */
const NONE_SENT = 255;
const MAX_USES = ROW.USES >> ROW.USES_SHIFT;
/** Reached in four hours at 150,000 queries a second. */
const MAX_HITS = 0x7fffffff;

/** Rows and blocks of a store. Times are tenths of a second. */
export class Entries {
  protected table: Int32Array;
  protected readonly arena: Arena;
  protected readonly subnets: SubnetRule;

  constructor(words: number, arena: Arena, subnets: SubnetRule) {
    // Untouched pages take no memory.
    this.table = new Int32Array(words);
    this.arena = arena;
    this.subnets = subnets;
  }

  touch(row: number): void {
    const state = this.table[row + ROW.STATE]!;
    if ((state & ROW.USES) !== ROW.USES) {
      this.table[row + ROW.STATE] = state + (1 << ROW.USES_SHIFT);
    }
  }

  ttlOf(row: number): number {
    return this.table[row + ROW.TTL]!;
  }

  /** Seconds. */
  ageOf(row: number, now: number): number {
    return ((now - this.table[row + ROW.STORED]!) / 10) | 0;
  }

  /** As `remainingOf`, inlined for the hit path. */
  remaining(row: number, now: number): number {
    const rows = this.table;
    return rows[row + ROW.TTL]! - (((now - rows[row + ROW.STORED]!) / 10) | 0);
  }

  /** Queries without a gap of `gap` tenths. */
  count(row: number, now: number, gap: number): number {
    const rows = this.table;
    const hits = now - rows[row + ROW.SEEN]! >= gap
      ? 1
      : Math.min(rows[row + ROW.HITS]! + 1, MAX_HITS);
    rows[row + ROW.HITS] = hits;
    rows[row + ROW.SEEN] = now;
    return hits;
  }

  /** As `touch` and `count`, for answers given elsewhere. */
  countMany(row: number, answers: number, { now, gap }: { now: number; gap: number }): void {
    const rows = this.table;
    const state = rows[row + ROW.STATE]!;
    const uses = Math.min(((state & ROW.USES) >> ROW.USES_SHIFT) + answers, MAX_USES);
    rows[row + ROW.STATE] = (state & ~ROW.USES) | (uses << ROW.USES_SHIFT);
    if (gap === 0) return;
    const before = now - rows[row + ROW.SEEN]! >= gap ? 0 : rows[row + ROW.HITS]!;
    rows[row + ROW.HITS] = Math.min(before + answers, MAX_HITS);
    rows[row + ROW.SEEN] = now;
  }

  usesOf(row: number): number {
    return (this.table[row + ROW.STATE]! & ROW.USES) >> ROW.USES_SHIFT;
  }

  /** False during a refresh, and just after one failed. */
  mayRefresh(row: number, now: number): boolean {
    return now >= this.table[row + ROW.RECHECK]!;
  }

  recheckAt(row: number, at: number): void {
    this.table[row + ROW.RECHECK] = at;
  }

  /** Tenths of a second. */
  tenthsOld(row: number, now: number): number {
    return now - this.table[row + ROW.STORED]!;
  }

  rcodeOf(row: number): number {
    return this.memoryOf(row).view.getUint16(this.offsetOf(row) + 2) & FLAG.RCODE;
  }

  hasAnswer(row: number): boolean {
    return this.memoryOf(row).view.getUint16(this.offsetOf(row) + 6) > 0;
  }

  read(row: number, response: Response): void {
    const lengths = this.table[row + ROW.LENGTH]!;
    const memory = this.memoryOf(row);
    const offset = this.offsetOf(row);
    response.memory = memory;
    response.offset = offset;
    response.length = lengths & 0xffff;
    response.ttlsAt = offset + ((response.length + 1) & ~1);
    response.ttlCount = (lengths >>> 16) & ROW.RECORDS;
    response.extendedError = -1;
    if ((lengths & ROW.HAS_ERROR) !== 0) {
      const at = response.ttlsAt + 2 * response.ttlCount;
      response.extendedError = memory.view.getUint16(at);
      response.errorText.copy(memory.bytes, at + ERROR_SIZE, memory.bytes[at + 2]!);
    }
    response.ecsScope = (lengths & ROW.HAS_ECS) === 0
      ? NO_SCOPE.NEEDED
      : scopeOf(memory.bytes[this.subnetAt(row) + 1]!);
  }

  /** Upstream's number; 0: unknown. */
  sourceOf(row: number): number {
    return this.memoryOf(row).view.getUint16(this.offsetOf(row));
  }

  subnetAt(row: number): number {
    const lengths = this.table[row + ROW.LENGTH]!;
    const at = this.offsetOf(row) + (((lengths & 0xffff) + 1) & ~1) +
      2 * ((lengths >>> 16) & ROW.RECORDS);
    if ((lengths & ROW.HAS_ERROR) === 0) return at;
    return at + ERROR_SIZE + this.memoryOf(row).bytes[at + 2]!;
  }

  subnetSize(row: number): number {
    if ((this.table[row + ROW.LENGTH]! & ROW.HAS_ECS) === 0) return 0;
    return SUBNET_HEAD + this.memoryOf(row).bytes[this.subnetAt(row)]!;
  }

  /** As `fitFor`; -1 if not valid. */
  fit(row: number, question: KeyedQuestion): number {
    const prefix = this.#prefixOf(row);
    if (prefix === FOR.EVERYBODY) return fitFor(prefix);
    if (prefix === FOR.NO_SUBNET) return question.ecsLength === 0 ? fitFor(prefix) : -1;
    if (question.ecsLength === 0) return -1;
    const source = sourceOf(question);
    if (prefix > source) return -1;
    // The answer depends on more of the address than the upstream got.
    const exact = this.subnets === "exact" || prefix === 0 ||
      this.memoryOf(row).bytes[this.subnetAt(row) + 1]! > prefix;
    if (prefix !== source && exact) return -1;
    return this.#isInNetwork(row, question, prefix) ? fitFor(prefix) : -1;
  }

  protected memoryOf(row: number): Memory {
    return this.arena.memory(this.table[row + ROW.ADDRESS]!);
  }

  protected offsetOf(row: number): number {
    return offsetOf(this.table[row + ROW.ADDRESS]!);
  }

  protected blockSize(row: number): number {
    return this.subnetAt(row) - this.offsetOf(row) + this.subnetSize(row);
  }

  protected matches(row: number, question: KeyedQuestion): boolean {
    const state = this.table[row + ROW.STATE]!;
    if (state >>> 16 !== question.qtype || (state & (ROW.DO | ROW.CD)) !== keyBits(question)) {
      return false;
    }
    const stored = this.memoryOf(row).view;
    const asked = question.memory.view;
    let a = this.offsetOf(row) + HEADER_SIZE;
    let b = question.offset + HEADER_SIZE;
    const { qnameLength } = question;
    for (const end = a + (qnameLength & ~3); a < end; a += 4, b += 4) {
      const word = asked.getInt32(b, true);
      if (stored.getInt32(a, true) !== (word | upperMask(word))) return false;
    }
    const rest = qnameLength & 3;
    // Safe: type and class follow the name.
    const mask = (1 << (rest << 3)) - 1;
    const word = asked.getInt32(b, true) & mask;
    return (stored.getInt32(a, true) & mask) === (word | upperMask(word)) &&
      stored.getInt32(a + rest) === asked.getInt32(b + rest);
  }

  /** `flags` is the header word, `source` the upstream's number. */
  protected writeBlock(
    address: number,
    question: KeyedQuestion,
    response: Response,
    flags: number,
    prefix: number,
    source: number,
  ): void {
    const memory = this.arena.memory(address);
    const offset = offsetOf(address);
    const { length, ttlCount, errorText } = response;
    // The slack of the copy fits: blocks are multiples of eight.
    copyWords(response.memory, response.offset, memory, offset, length);
    const { bytes, view } = memory;
    view.setUint16(offset, source);
    view.setUint16(offset + 2, flags);
    let at = offset + ((length + 1) & ~1);
    for (let i = 0; i < ttlCount; i++, at += 2) {
      view.setUint16(at, response.memory.view.getUint16(response.ttlsAt + 2 * i, true), true);
    }
    if (response.extendedError >= 0) {
      view.setUint16(at, response.extendedError);
      bytes[at + 2] = errorText.length;
      at += ERROR_SIZE;
      for (let i = 0; i < errorText.length; i++) bytes[at++] = errorText.bytes[i]!;
    }
    const from = question.memory.bytes;
    const nameAt = question.offset + HEADER_SIZE;
    copyFolded(from, nameAt, bytes, offset + HEADER_SIZE, question.qnameLength);
    if (prefix === FOR.NO_SUBNET) return;
    bytes[at + 1] = response.ecsScope < 0 ? NONE_SENT : response.ecsScope;
    bytes[at] = prefix === FOR.EVERYBODY
      ? 0
      : writeNetwork(from, question.offset + question.ecsAt, prefix, bytes, at + SUBNET_HEAD);
  }

  /** Same clients. */
  protected isForSame(row: number, question: KeyedQuestion, prefix: number): boolean {
    return this.#prefixOf(row) === prefix &&
      (prefix < 0 || this.#isInNetwork(row, question, prefix));
  }

  #prefixOf(row: number): number {
    const size = this.subnetSize(row);
    if (size === 0) return FOR.NO_SUBNET;
    if (size === SUBNET_HEAD) return FOR.EVERYBODY;
    return this.memoryOf(row).bytes[this.subnetAt(row) + SUBNET_HEAD + SUBNET.SOURCE]!;
  }

  #isInNetwork(row: number, { memory, offset, ecsAt }: KeyedQuestion, prefix: number): boolean {
    const { bytes } = this.memoryOf(row);
    const networkAt = this.subnetAt(row) + SUBNET_HEAD;
    return sameNetwork(bytes, networkAt, memory.bytes, offset + ecsAt, prefix);
  }
}

/** Block size for `prefix` (`FOR`). */
export function entrySize(response: Response, prefix: number): number {
  const error = response.extendedError < 0 ? 0 : ERROR_SIZE + response.errorText.length;
  const size = ((response.length + 1) & ~1) + 2 * response.ttlCount + error;
  if (prefix === FOR.NO_SUBNET) return size;
  return size + SUBNET_HEAD + (prefix === FOR.EVERYBODY ? 0 : subnetSize(prefix));
}

/** LENGTH for `prefix` (`FOR`). */
export function lengthWord({ length, ttlCount, extendedError }: Response, prefix: number): number {
  return length | (ttlCount << 16) | (prefix === FOR.NO_SUBNET ? 0 : ROW.HAS_ECS) |
    (extendedError < 0 ? 0 : ROW.HAS_ERROR);
}

/** Scope for clients. */
export function scopeOf(octet: number): number {
  return octet === NONE_SENT ? NO_SCOPE.NEEDED : octet;
}

/** DO and CD bits of STATE. */
export function keyBits({ dnssecOk, checkingDisabled }: KeyedQuestion): number {
  return (dnssecOk ? ROW.DO : 0) | (checkingDisabled ? ROW.CD : 0);
}
