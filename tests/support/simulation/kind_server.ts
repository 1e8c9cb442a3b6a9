import { createSocket } from "node:dgram";
import * as net from "node:net";
import { decode } from "../messages/messages.ts";
import { freePort } from "../servers/ports.ts";
import type { Behaviour } from "./simulation.ts";

export interface KindServer {
  readonly endpoint: string;
  readonly counts: { udp: number; tcp: number; accepted: number; open: number };
  stop(): Promise<void>;
}

/**
 * Serves a simulated upstream's behaviour over real sockets, so that simulation and kernel see the
 * same kinds of servers. "refuse" resets a TCP connection and is silence over UDP. `udp` and `tcp`
 * enable its listeners.
 */
export async function serveKind(
  behaviour: Behaviour,
  { udp = true, tcp = true } = {},
): Promise<KindServer> {
  const counts = { udp: 0, tcp: 0, accepted: 0, open: 0 };
  const connections = new Map<number, net.Socket>();
  const timers = new Set<ReturnType<typeof setTimeout>>();

  function later(delayMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, delayMs);
    timers.add(timer);
  }

  function arrivalOf(connection: number) {
    return { connection, connections: [...connections.keys()], nowMs: performance.now() };
  }

  const listener = net.createServer((socket) => {
    const id = counts.accepted++;
    counts.open++;
    connections.set(id, socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      counts.open--;
      connections.delete(id);
    });
    onFrames(socket, (frame) => {
      counts.tcp++;
      const sent = behaviour(decode(frame), "tcp", arrivalOf(id));
      if (sent === "refuse") {
        socket.resetAndDestroy();
        return;
      }
      for (const { bytes, delayMs = 0, close = false } of sent) {
        later(delayMs, () => {
          if (socket.destroyed) return;
          if (bytes.length > 0) {
            socket.write(Uint8Array.from([bytes.length >> 8, bytes.length & 255, ...bytes]));
          }
          if (close) socket.end();
        });
      }
    });
  });
  const datagrams = createSocket("udp4");
  datagrams.on("message", (bytes: Uint8Array, from: { port: number; address: string }) => {
    counts.udp++;
    const sent = behaviour(decode(bytes), "udp", arrivalOf(-1));
    if (sent === "refuse") return;
    for (const { bytes: reply, delayMs = 0 } of sent) {
      later(delayMs, () => datagrams.send(reply, from.port, from.address));
    }
  });

  const endpoint = await bindBoth(listener, datagrams);
  if (!tcp) await closeListener(listener);
  if (!udp) await new Promise<void>((resolve) => datagrams.close(() => resolve()));
  return {
    endpoint,
    counts,
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      if (udp) await new Promise<void>((resolve) => datagrams.close(() => resolve()));
      for (const socket of connections.values()) socket.destroy();
      if (tcp) await closeListener(listener);
    },
  };
}

/** Binds both to one port of 127.0.0.1, which stays reserved even if one is closed. */
async function bindBoth(
  listener: net.Server,
  datagrams: ReturnType<typeof createSocket>,
): Promise<string> {
  const port = freePort();
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  await new Promise<void>((resolve, reject) => {
    datagrams.once("error", reject).bind(port, "127.0.0.1", resolve);
  });
  return `127.0.0.1:${port}`;
}

function closeListener(listener: net.Server): Promise<void> {
  return new Promise((resolve) => listener.close(() => resolve()));
}

function onFrames(socket: net.Socket, use: (frame: Uint8Array) => void): void {
  let held: Uint8Array = new Uint8Array();
  socket.on("data", (bytes: Uint8Array) => {
    held = Uint8Array.from([...held, ...bytes]);
    while (held.length >= 2 && held.length >= 2 + ((held[0]! << 8) | held[1]!)) {
      const size = (held[0]! << 8) | held[1]!;
      const frame = held.slice(2, 2 + size);
      held = held.slice(2 + size);
      use(frame);
    }
  });
}
