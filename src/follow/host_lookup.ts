// @ts-types="@types/dns-packet"
import { decode, type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import { Buffer } from "node:buffer";
import { canonicalAddress, parseAddress } from "../dns/address.ts";
import { ResponseScanner } from "../dns/response_scan.ts";
import { askTcp, askUdp, NoReplyError, type QueryTarget, type QueryWait } from "./dns_client.ts";

const MAX_CHAIN = 16;

/** A question for a host's addresses. */
export interface HostQuestion {
  host: string;
  type: "A" | "AAAA";
}

/** Options of a lookup. */
export interface LookupOptions {
  /** Asked in order. */
  servers: readonly QueryTarget[];
  timeoutMs: number;
  /** In total; at least one per server. */
  attempts: number;
  signal: AbortSignal;
}

/** Addresses of a host. */
export type HostReply = NonNullable<ReturnType<typeof readHostReply>>;

/** Resolves a host over UDP, or TCP after truncation. Throws the last `NoReplyError`. */
export async function lookUpHost(
  question: HostQuestion,
  options: LookupOptions,
): Promise<HostReply> {
  const { servers, attempts } = options;
  let failure = "there is no server to ask";
  for (let i = 0; i < (servers.length && Math.max(attempts, servers.length)); i++) {
    const server = servers[i % servers.length]!;
    try {
      const reply = await exchange(question, server, options);
      if (reply.rcode === "NOERROR" || reply.rcode === "NXDOMAIN") return reply;
      failure = `${reply.rcode} from ${serverText(server)}`;
    } catch (error) {
      failure = `${serverText(server)}: ${(error as Error).message}`;
      if (options.signal.aborted) break;
    }
  }
  throw new NoReplyError(failure);
}

/** Formats a server as in a Corefile. */
export function serverText({ address, port }: QueryTarget): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

async function exchange(
  question: HostQuestion,
  server: QueryTarget,
  { timeoutMs, signal }: LookupOptions,
): Promise<HostReply> {
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const query = new Uint8Array(encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name: question.host, type: question.type, class: "IN" }],
  }));
  const read = (message: Uint8Array) => readHostReply(message, { id, ...question });
  const wait: QueryWait = { timeoutMs, signal, accept: (message) => read(message) !== null };
  // Sources are compared as text.
  const target = { ...server, address: canonicalAddress(server.address) };
  const reply = read(await askUdp(target, query, wait))!;
  return reply.truncated ? read(await askTcp(target, query, wait))! : reply;
}

/** Returns null for other messages; never throws. */
export function readHostReply(
  message: Uint8Array,
  { id, host, type }: HostQuestion & { id: number },
) {
  // dns-packet follows any number of pointers.
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
    ...readAnswer(packet, { host, type }),
  };
}

function readAnswer({ answers = [] }: DecodedPacket, { host, type }: HostQuestion) {
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

function usable(text: string): string | null {
  const bytes = parseAddress(text);
  if (bytes === null) return null;
  // 0.0.0.0 and :: mean this host; blocklists send them.
  const unspecified = bytes.every((octet) => octet === 0);
  const multicast = bytes.length === 4 ? bytes[0]! >= 224 : bytes[0] === 0xff;
  return unspecified || multicast ? null : canonicalAddress(text);
}
