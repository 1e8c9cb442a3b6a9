import { SUBNET, subnetSize, writeNetwork } from "../../../dns/client_subnet.ts";
import { HEADER_SIZE } from "../../../dns/constants.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import { copyWords, type Memory } from "../../../engine/memory.ts";
import { copyFolded, upperMask } from "../../../engine/question/fold.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";
import { HAS_ECS, HAS_ERROR, RECORDS } from "./row.ts";

/*
 * An entry's block in the arena:
 *
 *   | message, qname in lower case | ttl table | code, length of text, text | length, scope, network |
 *   ^multiple of 8                 ^multiple of 2    ^extended error               ^client subnet
 *
 * Extended error and client subnet are optional. The network is the data of a client subnet option
 * with the prefix that the answer is valid for, or empty if it is valid for all clients.
 */

/** Octets of an extended error before its text. */
const ERROR_SIZE = 3;
/** Octets before a network. */
export const SUBNET_HEAD = 2;
/** Stored scope if clients get none; longer than any prefix. */
const NONE_SENT = 255;

/** The clients that an entry is valid for; otherwise the length of a network's prefix. */
export const FOR = {
  NO_SUBNET: -2,
  /** All clients: the scope is zero (RFC 7871 section 7.3.1). */
  EVERYBODY: -1,
} as const;

/** A question and its client, as stores see an exchange. */
export type KeyedQuestion = Readonly<
  & Pick<Exchange, "memory" | "offset" | "qnameLength" | "qtype" | "hash" | "client">
  & Pick<Exchange, "dnssecOk" | "checkingDisabled" | "ecsAt" | "ecsLength">
>;

/** Offset of an entry's client subnet; `lengths` is the word LENGTH of its row. */
export function subnetAt(lengths: number, { bytes }: Memory, offset: number): number {
  const at = offset + (((lengths & 0xffff) + 1) & ~1) + 2 * ((lengths >>> 16) & RECORDS);
  return (lengths & HAS_ERROR) === 0 ? at : at + ERROR_SIZE + bytes[at + 2]!;
}

/** Size of an entry's block. */
export function blockSize(lengths: number, memory: Memory, offset: number): number {
  const at = subnetAt(lengths, memory, offset);
  return at - offset + ((lengths & HAS_ECS) === 0 ? 0 : SUBNET_HEAD + memory.bytes[at]!);
}

/** Size of the block for a response that is valid for `prefix` (`FOR`). */
export function entrySize(response: Response, prefix: number): number {
  const error = response.extendedError < 0 ? 0 : ERROR_SIZE + response.errorText.length;
  const size = ((response.length + 1) & ~1) + 2 * response.ttlCount + error;
  if (prefix === FOR.NO_SUBNET) return size;
  return size + SUBNET_HEAD + (prefix === FOR.EVERYBODY ? 0 : subnetSize(prefix));
}

/** The word LENGTH of a row for a response that is valid for `prefix` (`FOR`). */
export function lengthWord({ length, ttlCount, extendedError }: Response, prefix: number): number {
  return length | (ttlCount << 16) | (prefix === FOR.NO_SUBNET ? 0 : HAS_ECS) |
    (extendedError < 0 ? 0 : HAS_ERROR);
}

/** Writes an entry's block; `flags` is the header word to store. */
export function writeEntry(
  question: KeyedQuestion,
  response: Response,
  flags: number,
  memory: Memory,
  offset: number,
  prefix: number,
): void {
  const { length, ttlCount, errorText } = response;
  // Blocks are multiples of eight, so the slack of the copy stays inside.
  copyWords(response.memory, response.offset, memory, offset, length);
  const { bytes, view } = memory;
  view.setUint16(offset, 0);
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

/** Points `response` at the entry in a block. */
export function readEntry(
  lengths: number,
  memory: Memory,
  offset: number,
  response: Response,
): void {
  const length = lengths & 0xffff;
  const ttlsAt = offset + ((length + 1) & ~1);
  const ttlCount = (lengths >>> 16) & RECORDS;
  response.memory = memory;
  response.offset = offset;
  response.length = length;
  response.ttlsAt = ttlsAt;
  response.ttlCount = ttlCount;
  response.extendedError = -1;
  if ((lengths & HAS_ERROR) !== 0) {
    const at = ttlsAt + 2 * ttlCount;
    response.extendedError = memory.view.getUint16(at);
    response.errorText.copy(memory.bytes, at + ERROR_SIZE, memory.bytes[at + 2]!);
  }
  response.ecsScope = (lengths & HAS_ECS) === 0
    ? NO_SCOPE.NEEDED
    : scopeOf(memory.bytes[subnetAt(lengths, memory, offset) + 1]!);
}

/** Scope for clients, from the stored octet. */
export function scopeOf(octet: number): number {
  return octet === NONE_SENT ? NO_SCOPE.NEEDED : octet;
}

/** Whether the message in a block has the question's name, type and class. */
export function isAbout(memory: Memory, offset: number, question: KeyedQuestion): boolean {
  const stored = memory.view;
  const asked = question.memory.view;
  let a = offset + HEADER_SIZE;
  let b = question.offset + HEADER_SIZE;
  const { qnameLength } = question;
  for (const end = a + (qnameLength & ~3); a < end; a += 4, b += 4) {
    const word = asked.getInt32(b, true);
    if (stored.getInt32(a, true) !== (word | upperMask(word))) return false;
  }
  const rest = qnameLength & 3;
  // Type and class follow the name, so four bytes can be read.
  const mask = (1 << (rest << 3)) - 1;
  const word = asked.getInt32(b, true) & mask;
  return (stored.getInt32(a, true) & mask) === (word | upperMask(word)) &&
    stored.getInt32(a + rest) === asked.getInt32(b + rest);
}

/** The clients that an entry is valid for (`FOR`), or a prefix; `at` is the offset of its subnet. */
export function prefixOf(lengths: number, { bytes }: Memory, at: number): number {
  if ((lengths & HAS_ECS) === 0) return FOR.NO_SUBNET;
  return bytes[at] === 0 ? FOR.EVERYBODY : bytes[at + SUBNET_HEAD + SUBNET.SOURCE]!;
}
