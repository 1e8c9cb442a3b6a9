import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import type { ProbeSocket, ProbeTarget } from "../probe_socket.ts";

/** Sends a probe query by the runtime's own sockets, which cannot be marked. */
export function openPortableProbe({ address, port }: ProbeTarget): ProbeSocket | null {
  const query = probeQuery(crypto.getRandomValues(new Uint16Array(1))[0]!);
  let socket: Deno.DatagramConn;
  try {
    const any = address.includes(":") ? "::" : "0.0.0.0";
    socket = Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
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
      // Nobody is there, or the socket was closed.
    }
  })();
  return { answered: () => answered, close: () => socket.close() };
}
