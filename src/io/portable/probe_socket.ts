import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import type { ProbeSocket, ProbeTarget } from "../check_plan.ts";

/** Unmarked, through the runtime's sockets. */
export function openPortableProbe({ address, port }: ProbeTarget): ProbeSocket | null {
  const query = probeQuery(crypto.getRandomValues(new Uint16Array(1))[0]!);
  const hostname = address.includes(":") ? "::" : "0.0.0.0";
  let socket: Deno.DatagramConn;
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  } catch {
    return null;
  }
  let answered = false;
  void (async () => {
    try {
      await socket.send(query, { transport: "udp", hostname: address, port });
      for await (const [message, from] of socket) {
        if ((from as Deno.NetAddr).port === port && answersProbe(message, query)) answered = true;
      }
    } catch {
      // Port unused, or socket closed.
    }
  })();
  return { answered: () => answered, close: () => socket.close() };
}
