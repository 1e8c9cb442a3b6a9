import { CLASS, EDNS_DO, EDNS_PAYLOAD, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { WireReader } from "../../dns/wire_reader.ts";

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
