import { HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { expandName } from "../../dns/names/expand_name.ts";
import type { WireRecord } from "../../dns/record_text/record.ts";
import type { Response } from "../../engine/response/response.ts";

/** The name that the records lead to in place of what was asked for, or null. */
export function aliasIn(records: readonly WireRecord[], qtype: number): Uint8Array | null {
  if (qtype !== TYPE.A && qtype !== TYPE.AAAA) return null;
  return records.find(({ type }) => type === TYPE.CNAME)?.data ?? null;
}

/**
 * The records of a response's answer section that belong to an address or lead to it; null if it
 * cannot be read. What is signed is left out: signatures do not cover what a template made.
 */
export function readAnswers(
  { memory, offset, length, answerCount }: Response,
): WireRecord[] | null {
  const { view } = memory;
  const bytes = memory.bytes.subarray(0, offset + length);
  const question = expandName(bytes, offset, offset + HEADER_SIZE);
  if (question === null) return null;
  const records: WireRecord[] = [];
  let at = question.end + 4;
  for (let i = 0; i < answerCount; i++) {
    const owner = expandName(bytes, offset, at);
    if (owner === null || owner.end + 10 > bytes.length) return null;
    const [type, size] = [view.getUint16(owner.end), view.getUint16(owner.end + 8)];
    const dataAt = owner.end + 10;
    at = dataAt + size;
    if (at > bytes.length) return null;
    const named = type === TYPE.CNAME;
    if (!named && type !== TYPE.A && type !== TYPE.AAAA) continue;
    const data = named ? expandName(bytes, offset, dataAt)?.name : bytes.slice(dataAt, at);
    if (data === undefined) return null;
    records.push({
      owner: owner.name,
      type,
      qclass: view.getUint16(owner.end + 2),
      ttlSeconds: view.getUint32(owner.end + 4),
      data,
    });
  }
  return records;
}
