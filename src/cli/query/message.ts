import { CLASS, EDNS_DO, EDNS_PAYLOAD, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { expandName } from "../../dns/names/walk.ts";

const OPT_SIZE = 11;

interface QueryParts {
  readonly name: Uint8Array;
  readonly type: number;
  readonly bufsize?: number;
  readonly dnssec?: boolean;
  readonly norec?: boolean;
}

/** A query with random id and AD, like dig. */
export function buildQuery(
  { name, type, bufsize = EDNS_PAYLOAD, dnssec = false, norec = false }: QueryParts,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + name.length + 4 + OPT_SIZE);
  const view = new DataView(bytes.buffer);
  crypto.getRandomValues(bytes.subarray(0, 2));
  view.setUint16(2, FLAG.AD | (norec ? 0 : FLAG.RD));
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  bytes.set(name, HEADER_SIZE);
  const at = HEADER_SIZE + name.length;
  view.setUint16(at, type);
  view.setUint16(at + 2, CLASS.IN);
  view.setUint16(at + 5, TYPE.OPT);
  view.setUint16(at + 7, bufsize);
  view.setUint16(at + 11, dnssec ? EDNS_DO : 0);
  return bytes;
}

/** Why a message is not a reply, or null. */
export function mismatch(query: Uint8Array, reply: Uint8Array): string | null {
  if (reply.length < HEADER_SIZE) return `message of ${reply.length} bytes is too short`;
  const asked = new WireReader(query, 0).u16();
  const header = new WireReader(reply, 0);
  const [id, flags, questions] = [header.u16(), header.u16(), header.u16()];
  if (id !== asked) return `ID mismatch: expected ID ${asked}, got ${id}`;
  if ((flags & FLAG.QR) === 0) return "not a response (QR is not set)";
  // Servers may omit unreadable questions.
  if (questions === 0 && (flags & FLAG.RCODE) !== 0) return null;
  const got = questionText(reply);
  if (got.toLowerCase() === questionText(query).toLowerCase()) return null;
  return `Question section mismatch: got ${got}`;
}

function questionText(message: Uint8Array): string {
  try {
    const reader = new WireReader(message);
    return `${reader.name()}/${typeText(reader.u16())}/${classText(reader.u16())}`;
  } catch {
    return "a malformed question";
  }
}

/** Reads a message. Throws `RangeError` beyond its end. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at = HEADER_SIZE, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }

  octets(count = this.left): Uint8Array {
    return this.#bytes.subarray(this.#skip(count), this.at);
  }

  /** The next octets, with compressed names. */
  part(count: number): WireReader {
    return new WireReader(this.#bytes, this.#skip(count), this.at);
  }

  name(): string {
    const expanded = expandName(this.#bytes, 0, this.at);
    if (expanded === null) throw new RangeError(`bad name at byte ${this.at}`);
    this.#skip(expanded.end - this.at);
    return formatName(expanded.name);
  }

  #skip(count: number): number {
    const start = this.at;
    this.at += count;
    if (this.at > this.#end) throw new RangeError(`record ends at byte ${this.at} of ${this.#end}`);
    return start;
  }
}
