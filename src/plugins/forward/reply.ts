import { EDNS_OPTION, HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { KIND, type ResponseScanner } from "../../dns/response_scan.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Response } from "../../engine/response.ts";
import { findOption } from "./edns_option.ts";
import type { Inquiry } from "./upstream_query.ts";

/** Puts the question into a reply that came as a header alone; returns the new length in octets. */
export function addQuestion(memory: Memory, { questionLength, memory: own }: Inquiry): number {
  memory.view.setUint16(4, 1);
  for (let i = 0; i < questionLength; i++) {
    memory.bytes[HEADER_SIZE + i] = own.bytes[HEADER_SIZE + i]!;
  }
  memory.view.setUint32(6, 0);
  memory.view.setUint16(10, 0);
  return HEADER_SIZE + questionLength;
}

/** Makes a response of the message at the start of `memory` that the scanner has just been over. */
export function describeReply(
  response: Response,
  scanner: ResponseScanner,
  memory: Memory,
): void {
  const { view } = memory;
  const table = (scanner.length + 1) & ~1;
  for (let i = 0; i < scanner.ttlCount; i++) {
    view.setUint16(table + 2 * i, scanner.ttls[i]!, true);
  }
  // What followed the last kept record (OPT) is gone: the header counts what is left.
  const answers = Math.min(view.getUint16(6), scanner.ttlCount);
  const authorities = Math.min(view.getUint16(8), scanner.ttlCount - answers);
  view.setUint16(6, answers);
  view.setUint16(8, authorities);
  view.setUint16(10, scanner.ttlCount - answers - authorities);
  response.memory = memory;
  response.offset = 0;
  response.length = scanner.length;
  response.ttlsAt = table;
  response.ttlCount = scanner.ttlCount;
  response.ttlSeconds = -1;
  response.extendedRcode = scanner.extendedRcode;
  response.cached = false;
  response.kind = scanner.kind;
  response.minTtlSeconds = scanner.minTtlSeconds;
}

/** Scope of the client subnet in a reply (RFC 7871 section 6), or -1 where it has none. */
export function readScope(memory: Memory, optAt: number): number {
  const at = optAt < 0 ? -1 : findOption(memory, optAt, EDNS_OPTION.CLIENT_SUBNET);
  return at < 0 || memory.view.getUint16(at - 2) < 4 ? -1 : memory.bytes[at + 3]!;
}

/** Whether a response says that the name exists but has nothing of the type asked for. */
export function isNodata(kind: number, answerCount: number, rcode: number): boolean {
  return kind === KIND.NODATA || (rcode === RCODE.NOERROR && answerCount === 0);
}
