/** What the program in the kernel shall do, written again in a plain way. */
import { viewOf } from "../messages/wire.ts";
import { ETHERNET, familyOf, messageAt, nameOctets, sumOfHeader, sumOfUdp } from "./packets.ts";
import type { Entry } from "./slots.ts";

export interface World {
  endpoints: readonly { address: readonly number[]; port: number }[];
  entries: readonly Entry[];
}

/** The answer to a packet, with checksums 0; null if it must pass. */
export function answerTo(
  frame: Uint8Array,
  world: World,
  ttl: number,
): Uint8Array<ArrayBuffer> | null {
  if (frame.length < 54) return null;
  const view = viewOf(frame);
  const type = view.getUint16(12);
  const v6 = type === 0x86dd;
  if (!v6 && type !== 0x0800 || v6 && frame.length < 74) return null;
  if (frame.subarray(0, 6).some((octet) => octet !== 0)) return null;
  if (frame[ETHERNET + (v6 ? 6 : 9)] !== 17) return null;
  if (v6 ? frame[ETHERNET]! >> 4 !== 6 : frame[ETHERNET] !== 0x45) return null;
  if (!v6 && (view.getUint16(ETHERNET + 6) & 0xbfff) !== 0) return null;
  const at = messageAt(v6 ? 6 : 4);
  const udp = at - 8;
  const destination = frame.subarray(ETHERNET + (v6 ? 24 : 16), udp);
  const endpoint = world.endpoints.findIndex(({ address, port }) =>
    port === view.getUint16(udp + 2) && `${address}` === `${[...destination]}`
  );
  const length = v6 ? view.getUint16(ETHERNET + 4) - 8 : view.getUint16(ETHERNET + 2) - 28;
  if (endpoint < 0 || view.getUint16(udp) === 0) return null;
  if (view.getUint16(udp + 4) !== length + 8 || v6 && view.getUint16(udp + 6) === 0) return null;
  if (length < 17 || length > 282 || frame.length < at + length) return null;

  const message = frame.slice(at, at + length);
  const read = viewOf(message);
  const flags = read.getUint16(2);
  if ((flags & ~0x0130) !== 0 || read.getUint16(4) !== 1) return null;
  if (read.getUint32(6) !== 0 || read.getUint16(10) > 1) return null;
  const edns = read.getUint16(10) === 1;
  const questionEnd = edns ? length - 11 : length;
  const question = message.subarray(12, questionEnd);
  let size = 512;
  let dnssecOk = false;
  if (edns) {
    const opt = [...message.subarray(questionEnd)];
    if (opt[0] !== 0 || opt[1] !== 0 || opt[2] !== 41) return null;
    if (opt[5] !== 0 || opt[6] !== 0 || (opt[7]! & 0x7f) !== 0 || opt[8] !== 0) return null;
    if (opt[9] !== 0 || opt[10] !== 0) return null;
    size = Math.max(512, opt[3]! * 256 + opt[4]!);
    dnssecOk = opt[7] === 0x80;
  }
  const key = (dnssecOk ? 1 : 0) | ((flags & 0x10) === 0 ? 0 : 2);
  const asked = [...question].map((octet) => octet >= 65 && octet <= 90 ? octet + 32 : octet);
  const entry = world.entries.find((entry) =>
    (entry.endpoint ?? 0) === endpoint && (entry.key ?? 0) === key &&
    // Type and class, which folding must not touch.
    `${[...question.subarray(-4)]}` === `${[0, entry.qtype ?? 1, 0, 1]}` &&
    `${asked.slice(0, -4)}` === `${nameOctets(entry.name.toLowerCase())}`
  );
  if (entry === undefined) return null;
  const { body, ttls, counts = [ttls.length, 0, 0], payload = 1232, limit = 1232 } = entry;
  const newLength = 12 + question.length + body.length + (edns ? 11 : 0);
  if (newLength > Math.max(512, Math.min(size, limit))) return null;

  const answer = new Uint8Array(at + newLength);
  answer.set(frame.subarray(0, at + questionEnd));
  answer.set(body, at + questionEnd);
  const out = viewOf(answer);
  let newFlags = (entry.flags ?? 0x8080) | (flags & 0x0110);
  if (!dnssecOk && (flags & 0x20) === 0) newFlags &= ~0x20;
  out.setUint16(at + 2, newFlags);
  counts.forEach((count, i) => out.setUint16(at + 6 + 2 * i, count + (i === 2 && edns ? 1 : 0)));
  for (const offset of ttls) out.setUint32(at + questionEnd + offset, ttl);
  if (edns) {
    const opt = [0, 0, 41, payload >> 8, payload & 255, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0];
    answer.set(opt, at + newLength - 11);
  }
  swap(answer, 0, 6, 6);
  swap(answer, ETHERNET + (v6 ? 8 : 12), destination.length, destination.length);
  swap(answer, udp, 2, 2);
  answer[ETHERNET + (v6 ? 7 : 8)] = 64;
  if (v6) out.setUint16(ETHERNET + 4, newLength + 8);
  else out.setUint16(ETHERNET + 2, newLength + 28);
  out.setUint16(udp + 4, newLength + 8);
  return withoutSums(answer);
}

/** With the checksums set to 0. */
export function withoutSums(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = frame.slice();
  if (familyOf(copy) === 4) copy.fill(0, ETHERNET + 10, ETHERNET + 12);
  const at = messageAt(familyOf(copy));
  copy.fill(0, at - 2, at);
  return copy;
}

/** Whether an answer's checksums are as right, or as wrong, as those of its query. */
export function sumsAgree(query: Uint8Array, answer: Uint8Array): boolean {
  const family = familyOf(query);
  const check = (frame: Uint8Array) => viewOf(frame).getUint16(messageAt(family) - 2);
  if (family === 4 && sumOfHeader(query) % 0xffff !== sumOfHeader(answer) % 0xffff) return false;
  if (family === 4 && check(query) === 0) return check(answer) === 0;
  return check(answer) !== 0 && sumOfUdp(query) % 0xffff === sumOfUdp(answer) % 0xffff;
}

function swap(bytes: Uint8Array, at: number, size: number, distance: number): void {
  const first = bytes.slice(at, at + size);
  bytes.copyWithin(at, at + distance, at + distance + size);
  bytes.set(first, at + distance);
}
