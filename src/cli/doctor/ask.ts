import { type Clock, systemClock } from "../../base/clock.ts";
import { FLAG, TYPE } from "../../dns/constants.ts";
import { rcodeText } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import type { Answer } from "../../doctor/judge/queries.ts";
import type { Question } from "../../doctor/probe/surroundings.ts";
import { askTcp, askUdp, NoReplyError } from "../../follow/dns_client.ts";
import { buildQuery, mismatch } from "../query/message.ts";

export async function askOnce(
  { name, address, port, transport, timeoutMs, source }: Question,
  clock: Clock = systemClock,
): Promise<Answer> {
  const query = buildQuery({ name: parseName(name), type: TYPE.A });
  const start = clock.now();
  try {
    const reply = await (transport === "TCP" ? askTcp : askUdp)({ address, port }, query, {
      timeoutMs,
      accept: (message) => mismatch(query, message) === null,
      ...source !== undefined && { source },
    });
    const rcode = rcodeText((reply[2]! << 8 | reply[3]!) & FLAG.RCODE);
    return { rcode, ms: clock.now() - start };
  } catch (error) {
    return { failure: error instanceof NoReplyError ? error.message : String(error) };
  }
}
