/** DNS messages as octets, including those that a codec refuses to encode. */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  NAPTR: 35,
  OPT: 41,
  RRSIG: 46,
  UNKNOWN: 65280,
} as const;

/** The question's name, as a compression pointer. */
export const QNAME: Uint8Array = Uint8Array.of(0xc0, 12);

export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080 } as const;

const HEADER = 12;
const RESPONSE_FLAGS = FLAG.QR | FLAG.AA | FLAG.RD | FLAG.RA;
const encoder = new TextEncoder();

/** Joins octets; numbers are single octets. */
export function join(...parts: readonly (Uint8Array | number)[]): Uint8Array {
  const length = parts.reduce<number>((sum, p) => sum + (typeof p === "number" ? 1 : p.length), 0);
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === "number") out[at++] = part;
    else {
      out.set(part, at);
      at += part.length;
    }
  }
  return out;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >> 16, value >> 8, value);
}

export function wireName(name: string): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  return join(
    ...labels.flatMap((label) => [label.length, encoder.encode(label)]),
    0,
  );
}

export function pointer(offset: number): Uint8Array {
  return u16(0xc000 | offset);
}

export function record(
  owner: Uint8Array,
  type: number,
  ttl: number,
  data: Uint8Array,
): Uint8Array {
  return join(owner, u16(type), u16(1), u32(ttl), u16(data.length), data);
}

export interface QueryOptions {
  readonly id?: number;
  readonly flags?: number;
  /** Payload size of an OPT record; default: no OPT. */
  readonly edns?: number;
}

/** A query; the name as text or in wire form. */
export function query(
  name: string | Uint8Array,
  type: number = TYPE.A,
  { id = randomId(), flags = FLAG.RD, edns }: QueryOptions = {},
): Uint8Array {
  const opt = edns === undefined ? [] : [0, u16(TYPE.OPT), u16(edns), u32(0), u16(0)];
  return join(
    u16(id),
    u16(flags),
    u16(1),
    u32(0),
    u16(edns === undefined ? 0 : 1),
    typeof name === "string" ? wireName(name) : name,
    u16(type),
    u16(1),
    ...opt,
  );
}

export function randomId(): number {
  return Math.floor(Math.random() * 0x10000);
}

export function framed(message: Uint8Array): Uint8Array {
  return join(u16(message.length), message);
}

export interface Question {
  readonly name: string;
  readonly labels: readonly string[];
  readonly type: number;
  readonly end: number;
}

/** Parses the question of a well-formed query. */
export function questionOf(message: Uint8Array): Question {
  const labels: string[] = [];
  let at = HEADER;
  for (let length = message[at]!; length !== 0; length = message[at]!) {
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + length)).toLowerCase());
    at += 1 + length;
  }
  const type = (message[at + 1]! << 8) | message[at + 2]!;
  return { name: labels.join("."), labels, type, end: at + 5 };
}

export interface ReplyOptions {
  readonly answers?: readonly Uint8Array[];
  readonly authority?: readonly Uint8Array[];
  readonly rcode?: number;
  readonly flags?: number;
  readonly opt?: boolean;
}

/** A reply to a query, with its question. */
export function reply(message: Uint8Array, options: ReplyOptions = {}): Uint8Array {
  const { answers = [], authority = [], rcode = 0, flags = 0, opt = false } = options;
  return join(
    message.subarray(0, 2),
    u16(RESPONSE_FLAGS | flags | rcode),
    u16(1),
    u16(answers.length),
    u16(authority.length),
    u16(opt ? 1 : 0),
    message.subarray(HEADER, questionOf(message).end),
    ...answers,
    ...authority,
    ...(opt ? [0, u16(TYPE.OPT), u16(1232), u32(0), u16(0)] : []),
  );
}

/**
 * A reply for one query, reused for another whose name is as long: large messages are made once,
 * so that the upstream's own work does not delay others.
 */
export function readdressed(made: Uint8Array, message: Uint8Array): Uint8Array {
  const out = made.slice();
  out.set(message.subarray(0, 2));
  out.set(message.subarray(HEADER, questionOf(message).end), HEADER);
  return out;
}

/** A truncated reply (TC). */
export function truncated(message: Uint8Array): Uint8Array {
  return reply(message, { flags: FLAG.TC });
}

export function soa(ttl: number): Uint8Array {
  return record(QNAME, TYPE.SOA, ttl, join(0, 0, ...[1, 2, 3, 4, ttl].map(u32)));
}

export function address(ttl: number, octets: Uint8Array): Uint8Array {
  return record(QNAME, TYPE.A, ttl, octets);
}

/** A TXT record of the question's name with at least this much data. */
export function text(ttl: number, size: number): Uint8Array {
  const strings: Uint8Array[] = [];
  for (let left = size; left > 0; left -= 256) {
    const length = Math.min(255, left);
    strings.push(join(length, new Uint8Array(length).fill(0x78)));
  }
  return record(QNAME, TYPE.TXT, ttl, join(...strings));
}

export function headerOf(message: Uint8Array): { id: number; rcode: number; answers: number } {
  return {
    id: (message[0]! << 8) | message[1]!,
    rcode: message[3]! & 15,
    answers: (message[6]! << 8) | message[7]!,
  };
}
