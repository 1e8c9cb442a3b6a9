import { HEADER_SIZE } from "../../dns/constants.ts";
import { copyWords, type Memory } from "../../engine/memory.ts";
import { copyFolded, upperMask } from "../../engine/question/fold.ts";
import type { Response } from "../../engine/response.ts";
import { ERROR_SIZE } from "./row.ts";

/*
 * An entry's block in the arena:
 *
 *   | message, qname in lower case | ttl table | extended error | length of subnet, scope, subnet |
 *   ^multiple of 8                 ^multiple of 2    ^each only where there is one
 */

/** What a store must know of a question; `Exchange` has it all. */
export interface Question {
  readonly memory: Memory;
  readonly offset: number;
  readonly qnameLength: number;
  readonly qtype: number;
  readonly hash: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** Client bucket that an entry is counted to, or -1 for none. */
  readonly client: number;
  /** Where the data of the client's subnet option lies, from `offset` on. */
  readonly ecsAt: number;
  readonly ecsLength: number;
}

/** Size of the block for a response, with the question's client subnet where `ecs` says so. */
export function entrySize(question: Question, response: Response, ecs: boolean): number {
  const error = response.extendedError < 0 ? 0 : ERROR_SIZE;
  const size = ((response.length + 1) & ~1) + 2 * response.ttlCount + error;
  return ecs && question.ecsLength > 0 ? size + 2 + question.ecsLength : size;
}

/** Writes an entry's block; `flags` is the header word to store. */
export function writeEntry(
  question: Question,
  response: Response,
  flags: number,
  memory: Memory,
  offset: number,
  ecs: boolean,
): void {
  const { length, ttlCount } = response;
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
    at += ERROR_SIZE;
  }
  const from = question.memory.bytes;
  const nameAt = question.offset + HEADER_SIZE;
  copyFolded(from, nameAt, bytes, offset + HEADER_SIZE, question.qnameLength);
  if (!ecs || question.ecsLength === 0) return;
  bytes[at++] = question.ecsLength;
  bytes[at++] = Math.max(0, response.ecsScope);
  const ecsAt = question.offset + question.ecsAt;
  for (let i = 0; i < question.ecsLength; i++) bytes[at++] = from[ecsAt + i]!;
}

/** Whether the message in a block has the question's name, type and class. */
export function isAbout(memory: Memory, offset: number, question: Question): boolean {
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
  // Type and class follow both names, so four bytes can be read.
  const mask = (1 << (rest << 3)) - 1;
  const word = asked.getInt32(b, true) & mask;
  return (stored.getInt32(a, true) & mask) === (word | upperMask(word)) &&
    stored.getInt32(a + rest) === asked.getInt32(b + rest);
}

/** Whether the client subnet at `at` of a block is the question's. */
export function isForSubnet(memory: Memory, at: number, question: Question): boolean {
  const { bytes } = memory;
  const { ecsLength } = question;
  if (bytes[at] !== ecsLength) return false;
  const theirs = question.memory.bytes;
  const from = question.offset + question.ecsAt;
  for (let i = 0; i < ecsLength; i++) if (bytes[at + 2 + i] !== theirs[from + i]) return false;
  return true;
}
