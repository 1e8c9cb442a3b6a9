/**
 * A simple reference parser of DNS messages: uncompressed names in lower case, data in
 * hexadecimal. Independent of the sources, with more types than dns-packet.
 */
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";

/** A record in comparable form. */
export interface ModelRecord {
  owner: string;
  type: number;
  class: number;
  ttl: number;
  /** Octets in hexadecimal, names in angle brackets. */
  data: string;
}

/** Result of `readMessage`. */
export interface ModelMessage {
  flags: number;
  question: string;
  qtype: number;
  sections: ModelRecord[][];
  end: number;
}

/**
 * Layout of data with names: a digit or two for octets, `N` a name, `S` a string, `*` the rest.
 * Types of RFC 3597 section 4, and KX, DNAME, RRSIG and NSEC.
 */
const WITH_NAMES: ReadonlyMap<number, string> = new Map(
  ([
    ["N", [2, 3, 4, 5, 7, 8, 9, 12, 39]],
    ["NN", [14, 17]],
    ["NN*", [6]],
    ["2N", [15, 18, 21, 36]],
    ["2NN", [26]],
    ["18N*", [24, 46]],
    ["N*", [30, 47]],
    ["6N", [33]],
    ["4SSSN", [35]],
  ] as const).flatMap(([layout, types]) => types.map((type) => [type, layout])),
);

/** Called for each name: an owner (type 0), or a name in the data of a record of the type. */
export type NameVisitor = (at: number, type: number) => void;

/** Parses a message; throws if it is malformed. */
export function readMessage(bytes: Uint8Array, visit: NameVisitor = () => {}): ModelMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const question = readName(bytes, 12);
  const qtype = view.getUint16(question.end);
  let at = question.end + 4;
  const sections = [6, 8, 10].map((countAt) =>
    Array.from({ length: view.getUint16(countAt) }, () => {
      visit(at, 0);
      const owner = readName(bytes, at);
      const type = view.getUint16(owner.end);
      const dataAt = owner.end + 10;
      const end = dataAt + view.getUint16(owner.end + 8);
      if (end > bytes.length) throw new RangeError(`record at ${at} is cut off`);
      at = end;
      return {
        owner: owner.name,
        type,
        class: view.getUint16(owner.end + 2),
        ttl: view.getUint32(owner.end + 4),
        data: readData(bytes, type, { at: dataAt, end }, visit),
      };
    })
  );
  return { flags: view.getUint16(2), question: question.name, qtype, sections, end: at };
}

function readData(
  bytes: Uint8Array,
  type: number,
  where: { at: number; end: number },
  visit: NameVisitor,
): string {
  let { at } = where;
  const { end } = where;
  let text = "";
  const take = (size: number) => {
    if (at + size > end) throw new RangeError(`data at ${where.at} is too short`);
    text += Buffer.from(bytes.subarray(at, at + size)).toString("hex");
    at += size;
  };
  for (const [step] of (WITH_NAMES.get(type) ?? "*").matchAll(/\d+|\D/g)) {
    if (step === "*") take(end - at);
    else if (step === "S") take(1 + (bytes[at] ?? 0));
    else if (step === "N") {
      visit(at, type);
      const read = readName(bytes, at);
      text += `<${read.name}>`;
      at = read.end;
    } else take(Number(step));
  }
  if (at !== end) throw new RangeError(`data at ${where.at} does not end where it should`);
  return text;
}

export function readName(bytes: Uint8Array, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let lowest = start;
  let end = -1;
  let size = 1;
  for (let at = start;;) {
    const octet = bytes[at];
    if (octet === undefined) throw new RangeError(`name at ${start} is cut off`);
    if (octet === 0) return { name: labels.join(""), end: end < 0 ? at + 1 : end };
    if (octet >= 0xc0) {
      const target = ((octet & 0x3f) << 8) | bytes[at + 1]!;
      if (end < 0) end = at + 2;
      if (!(target < lowest)) throw new RangeError(`pointer at ${at} leads to ${target}`);
      lowest = at = target;
      continue;
    }
    size += octet + 1;
    if (octet > 63 || size > 255) throw new RangeError(`name at ${start} is too long`);
    const label = String.fromCharCode(octet, ...bytes.subarray(at + 1, at + 1 + octet));
    labels.push(label.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()));
    at += octet + 1;
  }
}

/** Records that nodens should send: no OPT, nothing after it, no DNSSEC unless requested. */
export function expectedRecords(message: ModelMessage, dnssecOk: boolean): ModelRecord[][] {
  const all = message.sections[2]!;
  const optAt = all.findIndex(({ type }) => type === 41);
  const additional = optAt < 0 ? all : all.slice(0, optAt);
  const { qtype } = message;
  const unasked = (type: number) => [43, 46, 47, 48, 50].includes(type) && type !== qtype;
  return [message.sections[0]!, message.sections[1]!, additional].map((section) =>
    section.filter(({ type }) => dnssecOk || qtype === 255 || !unasked(type))
  );
}

/** Throws if another codec cannot parse a message, except for unsupported types. */
export function assertParses(bytes: Uint8Array): void {
  try {
    codec.decode(Buffer.from(bytes));
  } catch (error) {
    const known = readMessage(bytes).sections.flat().every(({ type, data }) =>
      // It requires protocol 3 (RFC 4034 section 2.1.2) and supports two kinds of fingerprints.
      !(type === 48 && data.slice(4, 6) !== "03") && type !== 44
    );
    if (known) throw error;
  }
}
