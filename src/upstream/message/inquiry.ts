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

/** EDNS forms of a query, fullest first. */
export const FORM = {
  /** Cookie, client subnet, padding. */
  OPTIONS: 0,
  EDNS: 1,
  PLAIN: 2,
} as const;

/** RFC 6891 section 6.1.2. */
export const OPT_SIZE = 11;

/** Client subnet's place. */
export const SUBNET_AT = HEADER_SIZE + 255 + 4;
const MARK_AT = SUBNET_AT + MAX_SUBNET_SIZE;
/** RFC 8467 section 4.1. */
const PADDING_BLOCK = 128;
/** Holds all options, padded. */
export const PACKET_SIZE = 1024;

/** A cookie to send. */
export interface CookieData {
  readonly size: number;
  write(bytes: Uint8Array, at: number): void;
}

/** A question, from which each server's packet is made. */
export class Inquiry {
  /** Header, question, subnet, loop mark. */
  readonly memory = new Memory(MARK_AT + LOOP_MARK_SIZE);
  questionLength = 0;
  dnssecOk = false;
  payloadSize: number = EDNS_PAYLOAD;
  subnetLength = 0;
  /** Wire form. */
  options: Uint8Array = new Uint8Array(0);
  /** Set for loop probes. */
  marked = false;

  set(exchange: Exchange, subnet: boolean): void {
    const { bytes, view } = this.memory;
    const from = exchange.memory.bytes;
    const question = exchange.offset + HEADER_SIZE;
    this.questionLength = exchange.qnameLength + 4;
    // Requests AD (RFC 6840 section 5.7) for later cache hits.
    view.setUint16(2, (exchange.flags & (FLAG.RD | FLAG.CD)) | FLAG.AD);
    copy(bytes, HEADER_SIZE, from, question, this.questionLength);
    this.dnssecOk = exchange.dnssecOk;
    this.options = exchange.upstreamOptions;
    this.payloadSize = exchange.payloadSize;
    this.marked = exchange.markAt > 0;
    if (this.marked) {
      copy(bytes, MARK_AT, from, exchange.offset + exchange.markAt, LOOP_MARK_SIZE);
    }
    this.subnetLength = subnet ? exchange.ecsLength : 0;
    copy(bytes, SUBNET_AT, from, exchange.offset + exchange.ecsAt, this.subnetLength);
  }

  equals(exchange: Exchange, subnet: boolean): boolean {
    const mine = this.memory;
    if (exchange.qnameLength + 4 !== this.questionLength) return false;
    const flags = FLAG.RD | FLAG.CD;
    if (((mine.view.getUint16(2) ^ exchange.flags) & flags) !== 0) return false;
    if (this.dnssecOk !== exchange.dnssecOk) return false;
    if (!sameOctets(this.options, exchange.upstreamOptions)) return false;
    if (subnet && !this.#sameSubnet(exchange)) return false;
    return sameQuestion(mine, exchange.memory, exchange.offset, this.questionLength);
  }

  #sameSubnet(exchange: Exchange): boolean {
    if (exchange.ecsLength !== this.subnetLength) return false;
    const from = exchange.offset + exchange.ecsAt;
    for (let i = 0; i < this.subnetLength; i++) {
      if (this.memory.bytes[SUBNET_AT + i] !== exchange.memory.bytes[from + i]) return false;
    }
    return true;
  }
}

/** Data's offset, or -1; `optAt` is -1 for no OPT. */
export function findOption({ view }: Memory, optAt: number, code: number): number {
  if (optAt < 0) return -1;
  let at = optAt + OPT_SIZE;
  const end = at + view.getUint16(optAt + 9);
  while (at + 4 <= end) {
    const length = view.getUint16(at + 2);
    if (at + 4 + length > end) return -1;
    if (view.getUint16(at) === code) return at + 4;
    at += 4 + length;
  }
  return -1;
}

interface PacketOptions {
  form: number;
  cookie: CookieData | null;
  subnet: boolean;
  /** To 128 octets (RFC 7830). */
  padded: boolean;
  /** Null keeps the client's case. */
  mixedCase: (() => number) | null;
}

/** Without id; returns the length. */
export function writePacket(packet: Memory, inquiry: Inquiry, options: PacketOptions): number {
  const { bytes, view } = packet;
  const from = inquiry.memory.bytes;
  let at = HEADER_SIZE + inquiry.questionLength;
  copy(bytes, 2, from, 2, at - 2);
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
  const option = (code: number, size: number): number => {
    view.setUint16(at, code);
    view.setUint16(at + 2, size);
    at += 4 + size;
    return at - size;
  };
  const { cookie } = options;
  if (cookie !== null && cookie.size > 0) {
    cookie.write(bytes, option(EDNS_OPTION.COOKIE, cookie.size));
  }
  const { subnetLength } = inquiry;
  if (subnetLength > 0 && options.subnet) {
    copy(bytes, option(EDNS_OPTION.CLIENT_SUBNET, subnetLength), from, SUBNET_AT, subnetLength);
  }
  if (inquiry.marked && options.form === FORM.OPTIONS) {
    copy(bytes, option(EDNS_OPTION.LOOP_MARK, LOOP_MARK_SIZE), from, MARK_AT, LOOP_MARK_SIZE);
  }
  if (options.form === FORM.OPTIONS) {
    copy(bytes, at, inquiry.options, 0, inquiry.options.length);
    at += inquiry.options.length;
  }
  if (options.padded) {
    const size = (PADDING_BLOCK - (at + 4) % PADDING_BLOCK) % PADDING_BLOCK;
    const padding = option(EDNS_OPTION.PADDING, size);
    bytes.fill(0, padding, padding + size);
  }
  view.setUint16(optAt + 9, at - optAt - OPT_SIZE);
  return at;
}

function sameOctets(one: Uint8Array, other: Uint8Array): boolean {
  return one === other ||
    (one.length === other.length && one.every((octet, i) => octet === other[i]));
}

/** Questions at 0 and `offset`, ignoring case. */
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

/** Includes case. */
export function sameSpelling(mine: Memory, theirs: Memory, length: number): boolean {
  for (let i = HEADER_SIZE; i < HEADER_SIZE + length; i++) {
    if (mine.bytes[i] !== theirs.bytes[i]) return false;
  }
  return true;
}

function mixCase(bytes: Uint8Array, nameEnd: number, random: () => number): void {
  let bits = 0;
  let left = 0;
  for (let i = HEADER_SIZE; i < nameEnd; i++) {
    const octet = bytes[i]! | 0x20;
    // Length octets are at most 63, below letters.
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

function copy(to: Uint8Array, at: number, from: Uint8Array, offset: number, size: number): void {
  for (let i = 0; i < size; i++) to[at + i] = from[offset + i]!;
}
