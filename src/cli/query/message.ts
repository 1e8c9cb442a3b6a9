import { CLASS, EDNS_DO, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { QueryRequest } from "./args.ts";

/** Size of an OPT record without options. */
const OPT_SIZE = 11;

/** Query message for a request; AD set, as dig does, to be told whether the answer was validated. */
export function buildQuery(request: QueryRequest, id: number): Uint8Array {
  const { name } = request;
  const bytes = new Uint8Array(HEADER_SIZE + name.length + 4 + OPT_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, FLAG.AD | (request.recursion ? FLAG.RD : 0));
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  bytes.set(name, HEADER_SIZE);
  let at = HEADER_SIZE + name.length;
  view.setUint16(at, request.type);
  view.setUint16(at + 2, CLASS.IN);
  at += 4;
  view.setUint16(at + 1, TYPE.OPT);
  view.setUint16(at + 3, request.bufsize);
  view.setUint16(at + 7, request.dnssec ? EDNS_DO : 0);
  return bytes;
}

/** Why a message is not the reply to the query, or null if it is. */
export function mismatch(query: Uint8Array, reply: Uint8Array): string | null {
  if (reply.length < HEADER_SIZE) return `message of ${reply.length} bytes is too short`;
  const asked = new DataView(query.buffer, query.byteOffset, query.length);
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
  const id = view.getUint16(0);
  if (id !== asked.getUint16(0)) {
    return `ID mismatch: expected ID ${asked.getUint16(0)}, got ${id}`;
  }
  if ((view.getUint16(2) & FLAG.QR) === 0) return "not a response (QR is not set)";
  // A server that could not read the question may leave it out.
  if (view.getUint16(4) === 0 && (view.getUint16(2) & FLAG.RCODE) !== 0) return null;
  const end = query.length - OPT_SIZE;
  for (let i = HEADER_SIZE; i < end; i++) {
    // Letters of the name are the same in either case; type and class are numbers.
    const same = i < end - 4 ? lower(query[i]!) === lower(reply[i] ?? 0) : query[i] === reply[i];
    if (i >= reply.length || !same) {
      return `Question section mismatch: got ${questionText(reply, view)}`;
    }
  }
  return null;
}

function questionText(reply: Uint8Array, view: DataView): string {
  let at = HEADER_SIZE;
  while (at < reply.length && reply[at] !== 0 && reply[at]! < 64) at += reply[at]! + 1;
  if (reply[at] !== 0 || at + 5 > reply.length) return "a malformed question";
  const type = typeText(view.getUint16(at + 1));
  return `${formatName(reply, HEADER_SIZE)}/${type}/${classText(view.getUint16(at + 3))}`;
}

/** Folds letters; length octets (at most 63) are below them. */
function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
