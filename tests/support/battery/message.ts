import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { rcodeText, typeNumber } from "../../../src/dns/mnemonics.ts";

/** Header flags by name. */
const BITS: Readonly<Record<string, number>> = {
  qr: 0x8000,
  aa: 0x0400,
  tc: 0x0200,
  rd: 0x0100,
  ra: 0x0080,
  z: 0x0040,
  ad: 0x0020,
  cd: 0x0010,
};

const OPT = 41;
const EXTENDED_ERROR = 15;

/** OPT record of a query; omitted fields are zero. */
export interface AskedOpt {
  size: number;
  version?: number;
  do?: boolean;
  z?: number;
  /** Codes, and data in hexadecimal. */
  options?: readonly (readonly [code: number, data: string])[];
}

/** A query of a battery row. */
export interface Asked {
  /** Presentation form without escapes, or wire form. */
  name: string | Uint8Array;
  /** Default A. */
  type?: string;
  qclass?: number;
  bits?: string;
  opcode?: number;
  edns?: AskedOpt;
  /** Changes the finished message. */
  edit?(message: Uint8Array): Uint8Array;
}

/** A response in the form of the rows' expectations. */
export interface Told {
  rcode: string;
  /** Set bits in header order: "qr aa rd ra". */
  bits: string;
  opcode: number;
  /** Records per section, without OPT: "1/0/0". */
  counts: string;
  /** Distinct TTLs of all records but OPT, ascending. */
  ttls: number[];
  /** Size, version unless 0, do, and option codes; an extended error as ede=N. */
  opt: string | null;
  /** "same": octet for octet. */
  question: "same" | "other" | "none";
  size: number;
}

export function wireName(labels: readonly Uint8Array[]): Uint8Array {
  const bytes: number[] = [];
  for (const label of labels) bytes.push(label.length, ...label);
  return Uint8Array.from([...bytes, 0]);
}

function nameBytes(name: string | Uint8Array): Uint8Array {
  if (typeof name !== "string") return name;
  if (name === ".") return wireName([]);
  return wireName(name.split(".").map((label) => new TextEncoder().encode(label)));
}

export function askedBytes(asked: Asked, id: number): Uint8Array {
  const type = typeNumber(asked.type ?? "A");
  if (type === null) throw new RangeError(`Cannot ask for type "${asked.type}"`);
  let flags = (asked.opcode ?? 0) << 11;
  for (const bit of (asked.bits ?? "rd").split(" ").filter((word) => word !== "")) {
    flags |= BITS[bit]!;
  }
  const words = (...values: number[]) => values.flatMap((value) => [value >> 8, value & 255]);
  const message = Uint8Array.from([
    ...words(id, flags, 1, 0, 0, asked.edns === undefined ? 0 : 1),
    ...nameBytes(asked.name),
    ...words(type, asked.qclass ?? 1),
    ...(asked.edns === undefined ? [] : optBytes(asked.edns)),
  ]);
  return asked.edit?.(message) ?? message;
}

export function optBytes(opt: AskedOpt): Uint8Array {
  const options = (opt.options ?? []).flatMap(([code, text]) => {
    const data = Uint8Array.fromHex(text);
    return [code >> 8, code & 255, data.length >> 8, data.length & 255, ...data];
  });
  const flags = (opt.do === true ? 0x8000 : 0) | (opt.z ?? 0);
  return Uint8Array.from([
    ...[0, 0, OPT, opt.size >> 8, opt.size & 255, 0, opt.version ?? 0, flags >> 8, flags & 255],
    ...[options.length >> 8, options.length & 255, ...options],
  ]);
}

/** Parses a response with another codec; throws if it is malformed. */
export function tellOf(bytes: Uint8Array, query: Uint8Array): Told {
  const message = codec.decode(Buffer.from(bytes)) as codec.DecodedPacket;
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  const flags = header.getUint16(2);
  const additionals = message.additionals ?? [];
  const records = [...message.answers ?? [], ...message.authorities ?? [], ...additionals]
    .filter(({ type }) => type !== "OPT") as { ttl?: number }[];
  const opts = additionals.filter(({ type }) => type === "OPT") as unknown as Opt[];
  const others = additionals.length - opts.length;
  const extended = opts[0]?.extendedRcode ?? 0;
  const ttls = [...new Set(records.map(({ ttl }) => ttl ?? 0))].toSorted((a, b) => a - b);
  return {
    rcode: rcodeText(extended << 4 | flags & 15),
    bits: Object.entries(BITS).filter(([, bit]) => flags & bit).map(([name]) => name).join(" "),
    opcode: flags >> 11 & 15,
    counts: `${header.getUint16(6)}/${header.getUint16(8)}/${others}`,
    ttls,
    opt: opts.length === 0 ? null : opts.map(optText).join(", "),
    question: sameQuestion(bytes, query),
    size: bytes.length,
  };
}

interface Opt {
  udpPayloadSize: number;
  extendedRcode: number;
  ednsVersion: number;
  flags: number;
  options: { code: number; data: Uint8Array }[];
}

function optText({ udpPayloadSize, ednsVersion, flags, options }: Opt): string {
  const words = [String(udpPayloadSize)];
  if (ednsVersion !== 0) words.push(`version=${ednsVersion}`);
  if (flags & 0x8000) words.push("do");
  if (flags & 0x7fff) words.push(`z=${flags & 0x7fff}`);
  for (const { code, data } of options) {
    words.push(code === EXTENDED_ERROR ? `ede=${data[0]! << 8 | data[1]!}` : `option=${code}`);
  }
  return words.join(" ");
}

function sameQuestion(bytes: Uint8Array, query: Uint8Array): Told["question"] {
  if (bytes[4] === 0 && bytes[5] === 0) return "none";
  let end = 12;
  while (bytes[end]! > 0) end += bytes[end]! + 1;
  end += 5;
  for (let at = 12; at < end; at++) if (bytes[at] !== query[at]) return "other";
  return bytes[4] === 0 && bytes[5] === 1 ? "same" : "other";
}
