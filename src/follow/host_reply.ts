// @ts-types="@types/dns-packet"
import { decode, type DecodedPacket } from "dns-packet";
import { Buffer } from "node:buffer";
import { canonicalAddress, parseAddress } from "../dns/address.ts";
import { ResponseScanner } from "../dns/response_scan.ts";

/** Most CNAME records followed from a name to its addresses. */
const MAX_CHAIN = 16;

/** Which addresses are asked for. */
export type AddressType = "A" | "AAAA";

/** What a resolver says of a host; without addresses, it says that there are none. */
export interface HostAnswer {
  /** In the order of the answer, usable ones only. */
  addresses: string[];
  ttlSeconds: number;
}

/** A reply to the question for a host's addresses. */
export interface HostReply {
  rcode: string;
  truncated: boolean;
  answer: HostAnswer;
}

/** What a message says where it is the reply to the question, else null. Never throws. */
export function readHostReply(
  message: Uint8Array,
  { id, host, type }: { id: number; host: string; type: AddressType },
): HostReply | null {
  // dns-packet follows any number of pointers for each name.
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (!new ResponseScanner().scan(message, view, 0, message.length)) return null;
  let packet: DecodedPacket & { rcode?: string };
  try {
    packet = decode(Buffer.from(message));
  } catch {
    return null;
  }
  const [question, ...more] = packet.questions ?? [];
  if (packet.type !== "response" || packet.id !== id || more.length > 0) return null;
  const repeated = question !== undefined && sameName(question.name, host) &&
    question.type === type && question.class === "IN";
  if (!repeated) return null;
  return {
    rcode: packet.rcode ?? "",
    truncated: packet.flag_tc,
    answer: readAnswer(packet, { host, type }),
  };
}

/** Addresses at the end of the CNAME chain that begins with the host. */
function readAnswer(
  packet: DecodedPacket,
  { host, type }: { host: string; type: AddressType },
): HostAnswer {
  const answers = packet.answers ?? [];
  let name = host;
  let ttlSeconds = Infinity;
  for (let links = 0; links <= MAX_CHAIN; links++) {
    const addresses = new Set<string>();
    let next: string | null = null;
    for (const record of answers) {
      if (record.type === "OPT" || record.class !== "IN" || !sameName(record.name, name)) continue;
      if (record.type === type) {
        const address = usable(record.data);
        if (address === null) continue;
        addresses.add(address);
      } else if (record.type === "CNAME" && next === null) {
        next = record.data;
      } else {
        continue;
      }
      ttlSeconds = Math.min(ttlSeconds, record.ttl ?? 0);
    }
    if (addresses.size > 0) return { addresses: [...addresses], ttlSeconds };
    if (next === null) break;
    name = next;
  }
  return { addresses: [], ttlSeconds: 0 };
}

function sameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

/** The address in its one spelling; null if nobody can be reached at it. */
function usable(text: string): string | null {
  const bytes = parseAddress(text);
  if (bytes === null) return null;
  // 0.0.0.0 and :: mean this host to a connect, and blocklists answer with them.
  const unspecified = bytes.every((octet) => octet === 0);
  const group = bytes.length === 4 ? bytes[0]! >= 224 : bytes[0] === 0xff;
  return unspecified || group ? null : canonicalAddress(text);
}
