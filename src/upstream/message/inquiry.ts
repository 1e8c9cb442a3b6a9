import { MAX_SUBNET_SIZE } from "../../dns/client_subnet.ts";
import {
  EDNS_DO,
  EDNS_OPTION,
  EDNS_PAYLOAD,
  FLAG,
  HEADER_SIZE,
  LOOP_MARK_SIZE,
  TYPE,
} from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { Memory } from "../../engine/memory.ts";
import { sameName } from "../../engine/question/fold.ts";
import { FORM } from "./form.ts";
import { OPT_SIZE } from "./edns_option.ts";

/** Header, longest name, type, class. */
const QUESTION_END = HEADER_SIZE + 255 + 4;
/** Where a mark lies behind the longest subnet. */
const MARK_AT = QUESTION_END + MAX_SUBNET_SIZE;
/** Queries over TLS are padded to multiples of this (RFC 8467 section 4.1). */
const PADDING_BLOCK = 128;
/** Room for a query with every option, padded. */
export const PACKET_SIZE = 512;

/** The data of a cookie option (`Cookie`). */
export interface CookieData {
  /** Length in octets; 0 where none is to be sent. */
  readonly size: number;
  write(bytes: Uint8Array, at: number): void;
}

/** What one question asks of upstreams, whichever they are; packets are made from it. */
export class Inquiry {
  /** Header and question as the first client sent them; its subnet and its mark behind. */
  readonly memory = new Memory(MARK_AT + LOOP_MARK_SIZE);
  /** Length of question name, type and class in octets. */
  questionLength = 0;
  dnssecOk = false;
  /** Size of UDP replies that is announced. */
  payloadSize: number = EDNS_PAYLOAD;
  subnetLength = 0;
  /** It is a probe for loops with a mark, this nodens' or another's, which every hop passes on. */
  marked = false;

  /** Takes the question of an exchange over; its subnet too where that is to be passed on. */
  set(exchange: Exchange, subnet: boolean): void {
    const { bytes, view } = this.memory;
    const from = exchange.memory.bytes;
    const size = exchange.qnameLength + 4;
    // AD asks for the answer's AD bit, which a cached answer must have for later clients
    // (RFC 6840 section 5.7).
    view.setUint16(2, (exchange.flags & (FLAG.RD | FLAG.CD)) | FLAG.AD);
    for (let i = 0, at = exchange.offset + HEADER_SIZE; i < size; i++) {
      bytes[HEADER_SIZE + i] = from[at + i]!;
    }
    this.questionLength = size;
    this.dnssecOk = exchange.dnssecOk;
    this.payloadSize = exchange.payloadSize;
    this.marked = exchange.markAt > 0;
    for (let i = 0; this.marked && i < LOOP_MARK_SIZE; i++) {
      bytes[MARK_AT + i] = from[exchange.offset + exchange.markAt + i]!;
    }
    this.subnetLength = 0;
    if (subnet && exchange.ecsLength > 0 && exchange.ecsLength <= MAX_SUBNET_SIZE) {
      this.subnetLength = exchange.ecsLength;
      const at = exchange.offset + exchange.ecsAt;
      for (let i = 0; i < this.subnetLength; i++) bytes[QUESTION_END + i] = from[at + i]!;
    }
  }

  /** Whether the exchange asks exactly this. */
  equals(exchange: Exchange, subnet: boolean): boolean {
    const mine = this.memory;
    if (exchange.qnameLength + 4 !== this.questionLength) return false;
    const flags = FLAG.RD | FLAG.CD;
    if (((mine.view.getUint16(2) ^ exchange.flags) & flags) !== 0) return false;
    if (this.dnssecOk !== exchange.dnssecOk) return false;
    if (subnet && !this.#sameSubnet(exchange)) return false;
    return sameQuestion(mine, exchange.memory, exchange.offset, this.questionLength);
  }

  /** Where the data of its subnet lies in `memory`; good with `subnetLength`. */
  get subnetAt(): number {
    return QUESTION_END;
  }

  #sameSubnet(exchange: Exchange): boolean {
    const length = exchange.ecsLength <= MAX_SUBNET_SIZE ? exchange.ecsLength : 0;
    if (length !== this.subnetLength) return false;
    const from = exchange.offset + exchange.ecsAt;
    for (let i = 0; i < length; i++) {
      if (this.memory.bytes[QUESTION_END + i] !== exchange.memory.bytes[from + i]) return false;
    }
    return true;
  }
}

/** How a packet is made of an inquiry. */
export interface PacketOptions {
  /** How much of EDNS it carries, one of `FORM`. */
  form: number;
  cookie: CookieData | null;
  /** The client's subnet goes along, if the inquiry has one. */
  subnet: boolean;
  /** Fill up to a multiple of 128 octets (RFC 7830). */
  padded: boolean;
  /** Source of the letters' case, or null to keep the client's. */
  mixedCase: (() => number) | null;
}

/** Writes the query of an inquiry into `packet`, without its id; returns its length in octets. */
export function writePacket(packet: Memory, inquiry: Inquiry, options: PacketOptions): number {
  const { bytes, view } = packet;
  const from = inquiry.memory.bytes;
  let at = HEADER_SIZE + inquiry.questionLength;
  for (let i = 2; i < at; i++) bytes[i] = from[i]!;
  view.setUint16(4, 1);
  view.setUint32(6, 0);
  if (options.mixedCase !== null) mixCase(bytes, at - 4, options.mixedCase);
  if (options.form === FORM.PLAIN) {
    view.setUint16(10, 0);
    return at;
  }
  view.setUint16(10, 1);
  const optAt = at;
  bytes[at] = 0;
  view.setUint16(at + 1, TYPE.OPT);
  view.setUint16(at + 3, inquiry.payloadSize);
  view.setUint16(at + 5, 0);
  view.setUint16(at + 7, inquiry.dnssecOk ? EDNS_DO : 0);
  at += OPT_SIZE;
  const cookieSize = options.cookie === null ? 0 : options.cookie.size;
  if (cookieSize > 0) {
    view.setUint16(at, EDNS_OPTION.COOKIE);
    view.setUint16(at + 2, cookieSize);
    options.cookie!.write(bytes, at + 4);
    at += 4 + cookieSize;
  }
  if (inquiry.subnetLength > 0 && options.subnet) {
    view.setUint16(at, EDNS_OPTION.CLIENT_SUBNET);
    view.setUint16(at + 2, inquiry.subnetLength);
    for (let i = 0; i < inquiry.subnetLength; i++) bytes[at + 4 + i] = from[QUESTION_END + i]!;
    at += 4 + inquiry.subnetLength;
  }
  if (inquiry.marked && options.form === FORM.OPTIONS) {
    view.setUint16(at, EDNS_OPTION.LOOP_MARK);
    view.setUint16(at + 2, LOOP_MARK_SIZE);
    for (let i = 0; i < LOOP_MARK_SIZE; i++) bytes[at + 4 + i] = from[MARK_AT + i]!;
    at += 4 + LOOP_MARK_SIZE;
  }
  if (options.padded) {
    const padding = (PADDING_BLOCK - (at + 4) % PADDING_BLOCK) % PADDING_BLOCK;
    view.setUint16(at, EDNS_OPTION.PADDING);
    view.setUint16(at + 2, padding);
    bytes.fill(0, at + 4, at + 4 + padding);
    at += 4 + padding;
  }
  view.setUint16(optAt + 9, at - optAt - OPT_SIZE);
  return at;
}

/**
 * Whether two messages ask the same, whatever the case of their letters: the question of `mine`,
 * `length` octets behind its header, and the one of `theirs` at `offset`. Called for each reply, so
 * its arguments make no object.
 */
export function sameQuestion(
  mine: Memory,
  theirs: Memory,
  offset: number,
  length: number,
): boolean {
  const own = mine.bytes;
  const other = theirs.bytes;
  const nameEnd = HEADER_SIZE + length - 4;
  if (!sameName(own, HEADER_SIZE, other, offset + HEADER_SIZE, nameEnd - HEADER_SIZE)) return false;
  for (let i = nameEnd; i < nameEnd + 4; i++) if (own[i] !== other[offset + i]) return false;
  return true;
}

/** Whether the questions of two messages, both at offset 0, repeat each other's case as well. */
export function sameSpelling(mine: Memory, theirs: Memory, length: number): boolean {
  for (let i = HEADER_SIZE; i < HEADER_SIZE + length; i++) {
    if (mine.bytes[i] !== theirs.bytes[i]) return false;
  }
  return true;
}

/** Gives each letter of the question's name a case by chance. */
function mixCase(bytes: Uint8Array, nameEnd: number, random: () => number): void {
  let bits = 0;
  let left = 0;
  for (let i = HEADER_SIZE; i < nameEnd; i++) {
    const octet = bytes[i]! | 0x20;
    // Length octets are at most 63, below every letter.
    if (bytes[i]! < 0x41 || octet < 0x61 || octet > 0x7a) continue;
    if (left === 0) {
      bits = random();
      left = 32;
    }
    bytes[i] = (bits & 1) === 0 ? octet : octet & ~0x20;
    bits >>>= 1;
    left--;
  }
}
