import { decode, queryBytes } from "../messages/messages.ts";

/** Time for all answers; a query without one counts as "lost". */
const LIMIT_MS = 8000;

/** Queries uncached names at once over UDP; counts the response codes. */
export async function askMisses(
  { port, count, from = 0, prefix = "miss" }: {
    port: number;
    count: number;
    /** Source port; default: the kernel's choice. */
    from?: number;
    prefix?: string;
  },
): Promise<Record<string, number>> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: from });
  const rcodes = new Map<number, string>();
  const timer = setTimeout(() => socket.close(), LIMIT_MS);
  const receiving = (async () => {
    while (rcodes.size < count) {
      const answer = decode((await socket.receive())[0]);
      rcodes.set(answer.id!, answer.rcode!);
    }
  })().catch(() => {
  });
  for (let id = 0; id < count; id++) {
    const query = queryBytes({ name: `${prefix}${id}.example.org`, id });
    await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
  }
  await receiving;
  clearTimeout(timer);
  if (rcodes.size === count) socket.close();
  const sums: Record<string, number> = {};
  for (let id = 0; id < count; id++) {
    const rcode = rcodes.get(id) ?? "lost";
    sums[rcode] = (sums[rcode] ?? 0) + 1;
  }
  return sums;
}
