/**
 * Netlink messages as bytes (RFC 3549 section 2), without a socket.
 *
 *     message:    length u32 | type u16 | flags u16 | sequence u32 | port u32 | header | attributes
 *     attribute:  length u16 | type u16 | value | padding to four octets
 *
 * Numbers are in host order: little-endian on both architectures. A length includes its header but
 * no padding.
 */

/** Message types of all families. */
export const NLMSG = { ERROR: 2, DONE: 3 } as const;
/** Message flags. */
export const NLM_F = {
  ...{ REQUEST: 0x1, ACK: 0x4, DUMP_INTERRUPTED: 0x10, DUMP: 0x300 },
  ...{ REPLACE: 0x100, EXCLUSIVE: 0x200, CREATE: 0x400 },
} as const;

/** Acknowledgement: header only. */
const CAPPED = 0x100;
/** Acknowledgement: attributes follow. */
const ACK_ATTRIBUTES = 0x200;
/** Acknowledgement: the kernel's explanation. */
const ACK_TEXT = 1;
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** Marks nested attributes. */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** A received message, as views of its buffer. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The family's header, then attributes. */
  readonly body: Uint8Array;
}

/** A request; the socket adds the sequence number. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly header: Uint8Array;
  readonly attributes?: readonly Attribute[];
}

/** An attribute: octets, text, u32, or nested attributes. */
export type Attribute = readonly [
  type: number,
  value: Uint8Array | string | number | readonly Attribute[],
];

interface Acknowledgement {
  readonly errno: number;
  readonly text: string;
}

/** Encodes a request. Throws a RangeError for a long attribute. */
export function encodeRequest(request: NetlinkRequest, sequence: number): Uint8Array {
  const { type, flags, header, attributes = [] } = request;
  const bytes = join([new Uint8Array(HEADER), header, ...attributes.map(encodeAttribute)]);
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags | NLM_F.REQUEST, true);
  view.setUint32(8, sequence, true);
  return bytes;
}

/** Encodes an attribute. Throws a RangeError if too long. */
export function encodeAttribute([type, value]: Attribute): Uint8Array {
  const nested = Array.isArray(value);
  const octets = nested ? join(value.map(encodeAttribute)) : octetsOf(value as Scalar);
  const length = ATTRIBUTE_HEADER + octets.length;
  if (length > 0xffff) {
    throw new RangeError(`Cannot encode ${octets.length} octets as an attribute`);
  }
  const header = new Uint8Array(ATTRIBUTE_HEADER);
  viewOf(header).setUint16(0, length, true);
  viewOf(header).setUint16(2, nested ? type | NESTED : type, true);
  return join([header, octets]);
}

/** Messages of one receive call. Throws if invalid. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const left = bytes.length - at;
    const length = left < HEADER ? 0 : view.getUint32(at, true);
    if (length < HEADER || length > left) throw malformed("message", length, left);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Decodes attributes by type; the last counts. Throws if invalid. */
export function decodeAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = viewOf(bytes);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const left = bytes.length - at;
    const length = left < ATTRIBUTE_HEADER ? 0 : view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || length > left) throw malformed("attribute", length, left);
    const type = view.getUint16(at + 2, true) & TYPE_MASK;
    attributes.set(type, bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += align(length);
  }
  return attributes;
}

/** Result in ERROR, or in DONE, which ends a dump. */
export function decodeAcknowledgement({ body, flags, type }: NetlinkMessage): Acknowledgement {
  const view = viewOf(body);
  // DONE is empty in old kernels.
  if (body.length < 4) return { errno: 0, text: "" };
  const errno = 0 - view.getInt32(0, true);
  if ((flags & ACK_ATTRIBUTES) === 0) return { errno, text: "" };
  let at = 4;
  if (type === NLMSG.ERROR) {
    if (body.length < 4 + HEADER) throw malformed("acknowledgement", 4 + HEADER, body.length);
    at += (flags & CAPPED) !== 0 ? HEADER : align(view.getUint32(4, true));
  }
  return { errno, text: decodeText(decodeAttributes(body.subarray(at)).get(ACK_TEXT)) };
}

/** Text of an attribute, or "". */
export function decodeText(value: Uint8Array = new Uint8Array()): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** The u32 of an attribute. */
export function decodeNumber(value: Uint8Array): number {
  if (value.length < 4) throw malformed("number", 4, value.length);
  return viewOf(value).getUint32(0, true);
}

/** A view of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

type Scalar = Uint8Array | string | number;

function octetsOf(value: Scalar): Uint8Array {
  if (typeof value === "number") return new Uint8Array(new Uint32Array([value]).buffer);
  return typeof value === "string" ? new TextEncoder().encode(`${value}\0`) : value;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + align(part.length), 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += align(part.length);
  }
  return bytes;
}

function malformed(what: string, length: number, left: number): RangeError {
  return new RangeError(`Cannot read a netlink ${what} of ${length} octets: ${left} are left`);
}
