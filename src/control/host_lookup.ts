// @ts-types="@types/dns-packet"
import { decode, type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import { Buffer } from "node:buffer";
import { formatIPv6, parseAddress } from "../dns/address.ts";
import { askTcp, askUdp, NoReplyError, type QueryTarget } from "./dns_client.ts";

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

/** How resolvers are asked. */
export interface LookupOptions {
  /** Asked one after the other, until one gives an answer. */
  servers: readonly QueryTarget[];
  /** Time that one has for its reply. */
  timeoutMs: number;
  /** Queries in all; each server is asked once even where these are fewer. */
  attempts: number;
  signal: AbortSignal;
}

/**
 * Asks resolvers for the addresses of a host, over UDP, and over TCP where that is truncated.
 *
 * Only a reply from the server asked, with the id and the question of the query, counts; another
 * name's records in it do not. Throws `NoReplyError` naming the last server and its failure.
 */
export async function lookUpHost(
  { host, type }: { host: string; type: AddressType },
  options: LookupOptions,
): Promise<HostAnswer> {
  const { servers, attempts } = options;
  let failure = "there is no server to ask";
  for (let i = 0; i < (servers.length && Math.max(attempts, servers.length)); i++) {
    const server = servers[i % servers.length]!;
    try {
      const packet = await exchange({ host, type }, server, options);
      if (packet.rcode === "NOERROR" || packet.rcode === "NXDOMAIN") {
        return readAnswer(packet, { host, type });
      }
      failure = `${packet.rcode} from ${serverText(server)}`;
    } catch (error) {
      failure = `${serverText(server)}: ${(error as Error).message}`;
      if (options.signal.aborted) break;
    }
  }
  throw new NoReplyError(failure);
}

/** Address and port as they are written in a Corefile. */
export function serverText({ address, port }: QueryTarget): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

type Packet = DecodedPacket & { rcode: string };

async function exchange(
  question: { host: string; type: AddressType },
  server: QueryTarget,
  { timeoutMs, signal }: LookupOptions,
): Promise<Packet> {
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const query = new Uint8Array(encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name: question.host, type: question.type, class: "IN" }],
  }));
  let packet: Packet | null = null;
  const accept = (message: Uint8Array): boolean => {
    packet = readReply(message, { id, ...question });
    return packet !== null;
  };
  // The scope of an address keeps its case, the address itself has one spelling.
  const target = { ...server, address: canonical(server.address) };
  await askUdp(target, query, { timeoutMs, accept, signal });
  if (packet!.flag_tc) await askTcp(target, query, { timeoutMs, accept, signal });
  return packet!;
}

/** The message decoded where it is the reply to the question, else null. */
function readReply(
  message: Uint8Array,
  { id, host, type }: { id: number; host: string; type: AddressType },
): Packet | null {
  let packet: Packet;
  try {
    packet = decode(Buffer.from(message)) as Packet;
  } catch {
    return null;
  }
  const [question, ...more] = packet.questions ?? [];
  if (packet.type !== "response" || packet.id !== id || more.length > 0) return null;
  const repeated = question !== undefined && sameName(question.name, host) &&
    question.type === type && question.class === "IN";
  return repeated ? packet : null;
}

/** Addresses at the end of the CNAME chain that begins with the host. */
function readAnswer(
  packet: Packet,
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

/** The address in its one spelling; null where nobody can be reached at it. */
function usable(text: string): string | null {
  const bytes = parseAddress(text);
  if (bytes === null) return null;
  // 0.0.0.0 and :: mean this host to a connect, and blocklists answer with them.
  const unspecified = bytes.every((octet) => octet === 0);
  const group = bytes.length === 4 ? bytes[0]! >= 224 : bytes[0] === 0xff;
  return unspecified || group ? null : canonical(text);
}

function canonical(address: string): string {
  const [host, scope] = address.split("%");
  const bytes = parseAddress(host!);
  const text = bytes === null || bytes.length === 4 ? host! : formatIPv6(bytes);
  return scope === undefined ? text : `${text}%${scope}`;
}
