import { expandName } from "../../dns/names/walk.ts";
import { HEADER_SIZE } from "../../dns/constants.ts";
import type { WireRecord } from "../../dns/record_text/record.ts";
import { layoutOf, NAME, stepOver } from "../../dns/record_layout.ts";
import { isQname } from "../question/fold.ts";
import type { Question } from "../question/question.ts";
import type { Response } from "./response.ts";
import type { ResponseWriter } from "./writer.ts";

const SECTIONS = ["answer", "authority", "additional"] as const;
/** A section after the question. */
export type Section = (typeof SECTIONS)[number];

/** A record of a message, with expanded names. */
export interface MessageRecord extends WireRecord {
  section: Section;
}

/** Records with the client's TTLs; null if malformed. */
export function readRecords(response: Response): MessageRecord[] | null {
  const { memory, offset, length, ttlSeconds } = response;
  const { view } = memory;
  const bytes = memory.bytes.subarray(0, offset + length);
  const question = expandName(bytes, offset, offset + HEADER_SIZE);
  if (question === null) return null;
  const records: MessageRecord[] = [];
  let at = question.end + 4;
  for (const [i, section] of SECTIONS.entries()) {
    for (let left = view.getUint16(offset + 6 + 2 * i); left > 0; left--) {
      const owner = expandName(bytes, offset, at);
      if (owner === null || owner.end + 10 > bytes.length) return null;
      const dataAt = owner.end + 10;
      at = dataAt + view.getUint16(owner.end + 8);
      const type = view.getUint16(owner.end);
      const data = at > bytes.length
        ? null
        : expandData(bytes, { type, offset, at: dataAt, end: at });
      if (data === null) return null;
      records.push({
        section,
        owner: owner.name,
        type,
        qclass: view.getUint16(owner.end + 2),
        ttlSeconds: ttlSeconds >= 0 ? ttlSeconds : view.getUint32(owner.end + 4),
        data,
      });
    }
  }
  return records;
}

/** Appends records and ends `writer`. */
export function writeRecords(
  writer: ResponseWriter,
  question: Question,
  records: readonly MessageRecord[],
): Response {
  for (const wanted of SECTIONS) {
    for (const { section, owner, type, qclass, ttlSeconds, data } of records) {
      if (section !== wanted) continue;
      const name = isQname(question, owner) ? null : owner;
      writer.record(section, name, type, qclass, ttlSeconds).raw(data, 0, data.length);
    }
  }
  return writer.end();
}

/** Null if data does not match its layout. */
function expandData(
  bytes: Uint8Array,
  { type, offset, at, end }: { type: number; offset: number; at: number; end: number },
): Uint8Array | null {
  const parts: Uint8Array[] = [];
  let next = at;
  for (const step of layoutOf(type)) {
    const start = next;
    if (step === NAME) {
      const name = expandName(bytes, offset, start);
      if (name === null) return null;
      parts.push(name.name);
      next = name.end;
    } else {
      next = stepOver(bytes, step, start, end);
      parts.push(bytes.slice(start, next));
    }
    if (next > end) return null;
  }
  // No layout: opaque.
  if (parts.length === 0) return bytes.slice(at, end);
  return next === end ? Uint8Array.from(parts.flatMap((part) => [...part])) : null;
}
