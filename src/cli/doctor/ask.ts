import { askTcp, askUdp, NoReplyError, type QueryWait } from "../../follow/dns_client.ts";
import { FLAG, TYPE } from "../../dns/constants.ts";
import { rcodeText } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import type { Answer } from "../../doctor/judge/queries.ts";
import type { Question } from "../../doctor/probe/options.ts";
import { buildQuery, mismatch } from "../query/message.ts";

const BUFSIZE = 1232;

/** Asks one server one question for an IPv4 address, and takes the time. Never rejects. */
export async function askOnce(question: Question): Promise<Answer> {
  const { name, address, port, transport, timeoutMs, source } = question;
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const query = buildQuery({
    ...{ name: parseName(name), type: TYPE.A, server: address, port, short: false },
    ...{ tcp: transport === "TCP", dnssec: false, recursion: true, bufsize: BUFSIZE },
    ...{ timeoutSeconds: timeoutMs / 1000, tries: 1 },
  }, id);
  const wait: QueryWait = {
    timeoutMs,
    accept: (message) => mismatch(query, message) === null,
    ...(source === undefined ? {} : { source }),
  };
  const start = performance.now();
  try {
    const reply = await (transport === "TCP" ? askTcp : askUdp)({ address, port }, query, wait);
    const ms = performance.now() - start;
    return { rcode: rcodeText((reply[2]! << 8 | reply[3]!) & FLAG.RCODE), ms };
  } catch (error) {
    if (error instanceof NoReplyError) return { failure: error.message };
    return { failure: String(error) };
  }
}
