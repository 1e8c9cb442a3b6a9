/**
 * A client and an upstream of nodens for its network namespace, in which ports are few. Prints the
 * results as JSON. Arguments: port of nodens, port of the upstream, queries, the upstream's delay
 * in milliseconds.
 */
import { answerWith, startUpstream } from "../support/processes/drivers.ts";
import { askMisses } from "../support/servers/misses.ts";

const [port, upstreamPort, count, delayMs] = Deno.args.map(Number);
const answer = answerWith("192.0.2.7");
const { counts } = startUpstream(upstreamPort!, async (query, transport) => {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  return answer(query, transport);
});
// The source port is not one of the few.
const rcodes = await askMisses({ port: port!, count: count!, from: 20_000 });
const { udp, tcp } = counts;
Deno.stdout.writeSync(
  new TextEncoder().encode(`${JSON.stringify({ rcodes, transports: { udp, tcp } })}\n`),
);
Deno.exit(0);
