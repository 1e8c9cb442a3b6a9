/**
 * Netlink's messages as bytes (RFC 3549 section 2), without a socket.
 *
 *     message:    length u32 | type u16 | flags u16 | sequence u32 | port u32 | header | attributes
 *     attribute:  length u16 | type u16 | value | padding to four octets
 *
 * Numbers are in the order of the machine; both that nodens runs on are little-endian. A length
 * counts its own header and no padding.
 */

/** Types of messages that every family has. */
export const NLMSG = { ERROR: 2, DONE: 3 } as const;
/** Flags of messages. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP_INTERRUPTED: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCLUSIVE: 0x200,
  CREATE: 0x400,
} as const;

/** Flag of an acknowledgement: the request in it is cut after its header. */
const CAPPED = 0x100;
/** Flag of an acknowledgement: attributes follow. */
const ACK_ATTRIBUTES = 0x200;
/** Attribute of an acknowledgement: the kernel's own words. */
const ACK_TEXT = 1;
/** Size of a message's header. */
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** Marks attributes that hold attributes. */
const NESTED = 0x8000;
/** What is left of an attribute's type without such marks. */
const TYPE_MASK = 0x3fff;

/** A message as it was read; what it holds lies in the buffer that it was read from. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The family's own header and the attributes. */
  readonly body: Uint8Array;
}

/** How a request ended. */
export interface Acknowledgement {
  /** 0 if it was carried out. */
  readonly errno: number;
  /** The kernel's own words for it; empty if it has none. */
  readonly text: string;
}

/** Makes a message. */
export function encodeMessage(
  message: Pick<NetlinkMessage, "type" | "flags" | "sequence">,
  header: Uint8Array,
  ...attributes: Uint8Array[]
): Uint8Array {
  const bytes = join(HEADER, [header, ...attributes]);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  return bytes;
}

/** Makes an attribute, with its padding. Throws a RangeError if the value is too long for one. */
export function encodeAttribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER + value.length;
  if (length > 0xffff) throw new RangeError(`Cannot encode ${value.length} octets as an attribute`);
  const bytes = new Uint8Array(align(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(value, ATTRIBUTE_HEADER);
  return bytes;
}

/** Makes an attribute that holds others. */
export function encodeNest(type: number, ...attributes: Uint8Array[]): Uint8Array {
  return encodeAttribute(type | NESTED, join(0, attributes));
}

/** Makes an attribute of text, with the zero at its end. */
export function encodeText(type: number, text: string): Uint8Array {
  return encodeAttribute(type, new TextEncoder().encode(`${text}\0`));
}

/** Makes an attribute of a number of 32 bits. */
export function encodeNumber(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return encodeAttribute(type, bytes);
}

/** The messages of what one receive call gave. Throws if a length leads out of it. */
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

/** Attributes by type, the last of several. Throws if a length leads out of the bytes. */
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

/** Reads how a request ended from a message of type ERROR, or of type DONE, which ends a dump. */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const { body, flags, type } = message;
  const view = viewOf(body);
  // An old kernel's DONE has nothing in it.
  if (body.length < 4) return { errno: 0, text: "" };
  const errno = 0 - view.getInt32(0, true);
  if ((flags & ACK_ATTRIBUTES) === 0) return { errno, text: "" };
  let at = 4;
  if (type === NLMSG.ERROR) {
    if (body.length < 4 + HEADER) throw malformed("acknowledgement", 4 + HEADER, body.length);
    at += (flags & CAPPED) !== 0 ? HEADER : align(view.getUint32(4, true));
  }
  const text = decodeAttributes(body.subarray(at)).get(ACK_TEXT);
  return { errno, text: text === undefined ? "" : decodeText(text) };
}

/** Text of an attribute, without the zero at its end. */
export function decodeText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** A number of 32 bits in an attribute. */
export function decodeNumber(value: Uint8Array): number {
  if (value.length < 4) throw malformed("number", 4, value.length);
  return viewOf(value).getUint32(0, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function join(start: number, parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + align(part.length), start));
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += align(part.length);
  }
  return bytes;
}

function malformed(what: string, length: number, left: number): RangeError {
  return new RangeError(`Cannot read a netlink ${what} of ${length} octets: ${left} are left`);
}
