import { CLASS, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { sameName } from "./fold.ts";
import type { Question } from "./question.ts";

/** CH name that checks listeners. Refused before routing, counted separately. */
const WIRE = new TextEncoder().encode("\x06health\x06nodens\0");
const QUERY = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/** The probe's message. */
export function probeQuery(id: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(id >> 8, id & 0xff, ...QUERY, ...WIRE, 0, TYPE.TXT, 0, CLASS.CH);
}

/** Whether a message answers `query`. */
export function answersProbe(message: Uint8Array, query: Uint8Array): boolean {
  return message.length >= HEADER_SIZE && message[0] === query[0] && message[1] === query[1];
}

/** Whether a query is a probe. */
export function isProbe({ memory, offset, qnameLength, qclass }: Question): boolean {
  return qnameLength === WIRE.length && qclass === CLASS.CH &&
    sameName(memory.bytes, offset + HEADER_SIZE, WIRE, 0, WIRE.length);
}
