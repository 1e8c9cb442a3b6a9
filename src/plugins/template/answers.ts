import { HEADER_SIZE, MAX_NAME_SIZE, TYPE } from "../../dns/constants.ts";
import type { WireRecord } from "../../dns/record_text/record.ts";
import type { Response } from "../../engine/response/response.ts";

/** Addresses and aliases of the answer section, without signatures; null if malformed. */
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
    const type = view.getUint16(owner.end);
    const dataAt = owner.end + 10;
    at = dataAt + view.getUint16(owner.end + 8);
    if (at > bytes.length) return null;
    const isAlias = type === TYPE.CNAME;
    if (!isAlias && type !== TYPE.A && type !== TYPE.AAAA) continue;
    const data = isAlias ? expandName(bytes, offset, dataAt)?.name : bytes.slice(dataAt, at);
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

/** Decompresses the name at `at`. Pointers must lead backwards (RFC 1035 section 4.1.4). */
function expandName(
  bytes: Uint8Array,
  start: number,
  at: number,
): { name: Uint8Array; end: number } | null {
  const octets: number[] = [];
  let end = -1;
  let lowest = at;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return null;
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = start + ((length & 0x3f) << 8 | (bytes[at + 1] ?? 0));
      if (at >= lowest) return null;
      lowest = at;
      continue;
    }
    if (length > 63 || octets.length + length + 1 > MAX_NAME_SIZE) return null;
    for (let i = 0; i <= length; i++) octets.push(bytes[at + i]!);
    at += length + 1;
    if (length === 0) return { name: Uint8Array.from(octets), end: end < 0 ? at : end };
  }
}
