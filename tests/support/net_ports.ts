import { createSocket } from "node:dgram";

const ATTEMPTS = 50;

/** A port that is free on 127.0.0.1 (and ::1, where there is one) for UDP and TCP. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const free = await canBindUdp("127.0.0.1", port) &&
      (!haveIpv6() || (canBindTcp("::1", port) && await canBindUdp("::1", port)));
    listener.close();
    if (free) return port;
  }
  throw new Error(`Cannot find a free port: ${ATTEMPTS} were taken`);
}

/** Whether ::1 can be listened on. */
export function haveIpv6(): boolean {
  return canBindTcp("::1", 0);
}

function canBindTcp(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch {
    return false;
  }
}

function canBindUdp(hostname: string, port: number): Promise<boolean> {
  const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
  return new Promise((resolve) => {
    socket.once("error", () => socket.close(() => resolve(false)));
    socket.bind(port, hostname, () => socket.close(() => resolve(true)));
  });
}
