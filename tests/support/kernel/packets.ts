/** Ethernet frames with DNS queries, octet by octet, and their checksums. */
import { viewOf } from "../messages/wire.ts";

export const ETHERNET = 14;
export const HEADER = 12;
export const SERVER = {
  4: [169, 254, 20, 10],
  6: [0xfd, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10],
} as const;
export const CLIENT = {
  4: [10, 244, 1, 7],
  6: [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0, 7],
} as const;

export type Family = 4 | 6;

export interface Question {
  name: string;
  qtype?: number;
  qclass?: number;
  id?: number;
  /** Default: RD. */
  flags?: number;
  edns?: { size?: number; dnssecOk?: boolean };
}

export interface Frame {
  family?: Family;
  message: readonly number[];
  /** Default: zeros, as on the loopback interface. */
  macs?: readonly number[];
  source?: readonly number[];
  destination?: readonly number[];
  sourcePort?: number;
  port?: number;
}

/** As in `name` of the wire helpers, with the root as "". */
export function nameOctets(text: string): number[] {
  if (text === "") return [0];
  return [...text.split(".").flatMap((label) => [label.length, ...codes(label)]), 0];
}

export function queryMessage(question: Question): number[] {
  const { name, qtype = 1, qclass = 1, id = 0x1234, flags = 0x100, edns } = question;
  return [
    ...[...u16(id), ...u16(flags), ...u16(1), ...u16(0), ...u16(0), ...u16(edns ? 1 : 0)],
    ...[...nameOctets(name), ...u16(qtype), ...u16(qclass)],
    ...(edns === undefined ? [] : [
      ...[0, ...u16(41), ...u16(edns.size ?? 1232), 0, 0],
      ...[...u16(edns.dnssecOk ? 0x8000 : 0), ...u16(0)],
    ]),
  ];
}

/** A frame with right lengths and checksums. */
export function frameOf(frame: Frame): Uint8Array<ArrayBuffer> {
  const { family = 4, message, macs = new Array(12).fill(0) } = frame;
  const { source = CLIENT[family], destination = SERVER[family] } = frame;
  const { sourcePort = 40_000, port = 53 } = frame;
  const length = 8 + message.length;
  const ip = family === 4
    ? [
      ...[0x45, 0, ...u16(20 + length), 0x12, 0x34, 0x40, 0, 63, 17, 0, 0],
      ...[...source, ...destination],
    ]
    : [0x60, 0, 0, 0, ...u16(length), 17, 63, ...source, ...destination];
  const bytes = new Uint8Array([
    ...[...macs, ...u16(family === 4 ? 0x0800 : 0x86dd), ...ip],
    ...[...u16(sourcePort), ...u16(port), ...u16(length), 0, 0, ...message],
  ]);
  const view = viewOf(bytes);
  if (family === 4) view.setUint16(ETHERNET + 10, ~sumOfHeader(bytes) & 0xffff);
  view.setUint16(messageAt(family) - 2, ~sumOfUdp(bytes) & 0xffff || 0xffff);
  return bytes;
}

/** Where the message begins. */
export function messageAt(family: Family): number {
  return family === 4 ? ETHERNET + 28 : ETHERNET + 48;
}

export function familyOf(frame: Uint8Array): Family {
  return frame[12] === 0x08 ? 4 : 6;
}

/** One's complement of an IPv4 header; 0xffff if its checksum is right. */
export function sumOfHeader(frame: Uint8Array): number {
  return folded(words(frame.subarray(ETHERNET, ETHERNET + 20)));
}

/** As `sumOfHeader`, of a UDP datagram and its pseudo-header. */
export function sumOfUdp(frame: Uint8Array): number {
  const family = familyOf(frame);
  const at = messageAt(family) - 8;
  const length = viewOf(frame).getUint16(at + 4);
  const addresses = frame.subarray(family === 4 ? ETHERNET + 12 : ETHERNET + 8, at);
  return folded(words(addresses) + 17 + length + words(frame.subarray(at, at + length)));
}

function words(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte, i) => sum + (i % 2 === 0 ? byte * 256 : byte), 0);
}

function folded(sum: number): number {
  return sum === 0 ? 0 : (sum - 1) % 0xffff + 1;
}

export function u16(value: number): [number, number] {
  return [value >> 8 & 255, value & 255];
}

function codes(text: string): number[] {
  return [...text].map((char) => char.charCodeAt(0));
}
