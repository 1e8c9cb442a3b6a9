// @ts-types="@types/dns-packet"
import { encode, RECURSION_DESIRED } from "dns-packet";
import { canonicalAddress } from "../dns/address.ts";
import { askTcp, askUdp, NoReplyError, type QueryTarget, type QueryWait } from "./dns_client.ts";
import { type AddressType, type HostAnswer, type HostReply, readHostReply } from "./host_reply.ts";

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
      const { rcode, answer } = await exchange({ host, type }, server, options);
      if (rcode === "NOERROR" || rcode === "NXDOMAIN") return answer;
      failure = `${rcode} from ${serverText(server)}`;
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

async function exchange(
  question: { host: string; type: AddressType },
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
  // The reply's source is compared as text.
  const target = { ...server, address: canonicalAddress(server.address) };
  const reply = read(await askUdp(target, query, wait))!;
  return reply.truncated ? read(await askTcp(target, query, wait))! : reply;
}
