import { MAX_SUBNET_SIZE } from "../../dns/client_subnet.ts";
import { CLASS, FLAG, HEADER_SIZE, MAX_NAME_SIZE } from "../../dns/constants.ts";
import { upperMask } from "./fold.ts";
import { type HashKey, hashOctets, INITIAL } from "./keyed_hash.ts";
import type { Question } from "./question.ts";

const scratch = new Uint8Array(4 + MAX_SUBNET_SIZE);

/** Hashed with the type. */
const HASHED = { DO: 0x10000, CD: 0x20000 } as const;

/**
 * Reads an untrusted question (RFC 1035 section 4.1.2) at `question.offset`; returns its end, or -1
 * if malformed.
 */
export function readQuestion(question: Question): number {
  const { memory, offset, length } = question;
  const { bytes, view } = memory;
  const nameAt = offset + HEADER_SIZE;
  const end = offset + length;
  let at = nameAt;
  let labels = 0;
  for (;;) {
    if (at >= end) return -1;
    const size = bytes[at]!;
    if (size === 0) break;
    if (size > 63) return -1;
    at += size + 1;
    labels++;
  }
  at++;
  const nameLength = at - nameAt;
  if (nameLength > MAX_NAME_SIZE || at + 4 > end) return -1;
  question.qnameLength = nameLength;
  question.labelCount = labels;
  question.qtype = view.getUint16(at);
  question.qclass = view.getUint16(at + 2);
  return at + 4;
}

/**
 * Hashes a question and sets `mixedCase`. This is `hashOctets` of type and bits (four octets) and
 * the folded name, inlined for speed. Classes other than IN come last.
 */
export function hashQuestion(question: Question, key: HashKey): void {
  const { view } = question.memory;
  const { qnameLength } = question;
  const { k0, k1 } = key;
  let v0 = k0;
  let v1 = k1;
  let v2 = k0 ^ INITIAL.V2;
  let v3 = k1 ^ INITIAL.V3;
  let at = question.offset + HEADER_SIZE;
  const whole = at + (qnameLength & ~3);
  let upper = 0;
  let word = question.qtype | (question.dnssecOk ? HASHED.DO : 0) |
    ((question.flags & FLAG.CD) !== 0 ? HASHED.CD : 0);
  for (;;) {
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (at === whole) break;
    const value = view.getInt32(at, true);
    const mask = upperMask(value);
    upper |= mask;
    word = value | mask;
    at += 4;
  }
  // Type and class follow: safe to read.
  const rest = view.getInt32(at, true) & ((1 << ((qnameLength & 3) << 3)) - 1);
  const mask = upperMask(rest);
  upper |= mask;
  word = rest | mask | ((qnameLength + 4) << 24);
  v3 ^= word;
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= word;
      v2 ^= 0xff;
    }
  }
  question.mixedCase = upper !== 0;
  question.hash = v1 ^ v3;
  if (question.qclass === CLASS.IN) return;
  question.hash = hashBeside(question, key, HEADER_SIZE + qnameLength + 2, 2);
}

/** Reads and hashes a stored response's question, with DO and CD as set; false if malformed. */
export function readStoredQuestion(question: Question, key: HashKey): boolean {
  const { memory, offset, length } = question;
  if (length < HEADER_SIZE || memory.view.getUint16(offset + 4) !== 1) return false;
  if (readQuestion(question) < 0) return false;
  hashQuestion(question, key);
  return true;
}

/** Hash with the required client subnet. */
export function hashSubnet(question: Question, key: HashKey): number {
  return hashBeside(question, key, question.ecsAt, question.ecsLength);
}

/** Hashes the question's hash and octets of its message. */
function hashBeside(question: Question, key: HashKey, at: number, length: number): number {
  const { memory: { bytes }, offset, hash } = question;
  for (let i = 0; i < 4; i++) scratch[i] = hash >> (8 * i);
  for (let i = 0; i < length; i++) scratch[4 + i] = bytes[offset + at + i]!;
  return hashOctets(key, scratch, 0, 4 + length);
}
