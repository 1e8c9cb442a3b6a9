import { loadConfig } from "../../../src/loading/load.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import type { DriverKind } from "../../../src/control/plane/messages.ts";
import { TlsThread, type TlsThreadOptions } from "../../../src/control/encrypted/thread.ts";
import { fakeHost } from "../doubles/fake_host.ts";
import { PATIENCE } from "../run/patience.ts";

/** Runs a data plane with real sockets for the length of `use`. */
export async function withDataPlane(
  options: {
    driver: DriverKind;
    corefile: string;
    onDead?: (why: string) => void;
    /** Memory that the process is told to have. */
    memoryBytes?: number;
    /** How the thread for TLS is watched. */
    tls?: TlsThreadOptions;
  },
  use: (plane: DataPlane, logs: string[], tls: TlsThread) => Promise<void>,
): Promise<void> {
  const source = { file: "Corefile", text: options.corefile, defaultPort: 53 };
  const host = options.memoryBytes === undefined ? fakeHost() : fakeHost({
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/memory.max": `${options.memoryBytes}\n`,
  });
  const { config } = loadConfig(source, host);
  const logs: string[] = [];
  const log = (level: string, line: string) => void logs.push(`${level}: ${line}`);
  const tls = new TlsThread(log, options.tls);
  tls.configure(config);
  const plane = new DataPlane(config, {
    driver: options.driver,
    log,
    tls,
    onDead: options.onDead ?? ((why) => {
      throw new Error(why);
    }),
  });
  plane.bind();
  await plane.start();
  try {
    await use(plane, logs, tls);
  } finally {
    await plane.stop(2000);
    await tls.stop();
  }
}

/** Sends a query and waits for the response to it; throws after `limitMs`. */
export async function askUdp(
  bytes: Uint8Array,
  to: { hostname?: string; port: number; limitMs?: number },
): Promise<Uint8Array> {
  const { hostname = "127.0.0.1", port, limitMs = 5000 * PATIENCE } = to;
  const any = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await socket.send(bytes, { transport: "udp", hostname, port });
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    });
    for (;;) {
      const [answer, from] = await Promise.race([socket.receive(), limit]);
      // The kernel may have given the socket a port that somebody still sends queries to.
      if (!isResponseTo(bytes, answer)) continue;
      const { hostname: source, port: sourcePort } = from as Deno.NetAddr;
      if (source === hostname && sourcePort === port) return answer;
      throw new Error(`answered from ${source} port ${sourcePort}`);
    }
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

/** Whether a message is a response with the id of the query, be it good or bad otherwise. */
function isResponseTo(query: Uint8Array, message: Uint8Array): boolean {
  return (message[2]! & 0x80) !== 0 && message[0] === query[0] && message[1] === query[1];
}

/** Time that `askTcp` gives a server. */
const TCP_LIMIT_MS = 15_000 * PATIENCE;

/** Sends bytes over TCP, ends the sending side, and reads frames until the server closes. */
export async function askTcp(
  pieces: Uint8Array[],
  to: { hostname?: string; port: number },
): Promise<Uint8Array[]> {
  const connection = await Deno.connect({ hostname: to.hostname ?? "127.0.0.1", port: to.port });
  // Closing makes the read below fail, so a server that says nothing cannot hold a test up.
  const limit = setTimeout(() => connection.close(), TCP_LIMIT_MS);
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += await connection.write(piece.subarray(at));
  }
  await connection.closeWrite();
  const all: number[] = [];
  const buffer = new Uint8Array(65536);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) break;
    for (let i = 0; i < length; i++) all.push(buffer[i]!);
  }
  clearTimeout(limit);
  connection.close();
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 2 <= all.length;) {
    const size = (all[at]! << 8) | all[at + 1]!;
    frames.push(Uint8Array.from(all.slice(at + 2, at + 2 + size)));
    at += 2 + size;
  }
  return frames;
}

/** An upstream on loopback, UDP and TCP, that answers as told. */
export function startUpstream(
  port: number,
  answer: (query: Uint8Array, transport: "udp" | "tcp") => Uint8Array | null,
): { close(): Promise<void>; counts: { udp: number; tcp: number; ports: Set<number> } } {
  const counts = { udp: 0, tcp: 0, ports: new Set<number>() };
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const connections = new Set<Deno.TcpConn>();
  const tasks: Promise<void>[] = [];
  const serveUdp = async () => {
    for await (const [bytes, from] of socket) {
      counts.udp++;
      counts.ports.add((from as Deno.NetAddr).port);
      const reply = answer(bytes, "udp");
      if (reply !== null) await socket.send(reply, from);
    }
  };
  const serveOne = async (connection: Deno.TcpConn) => {
    connections.add(connection);
    let held = new Uint8Array();
    try {
      const buffer = new Uint8Array(65536);
      for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
        held = Uint8Array.from([...held, ...buffer.subarray(0, n)]);
        while (held.length >= 2 && held.length >= 2 + ((held[0]! << 8) | held[1]!)) {
          const size = (held[0]! << 8) | held[1]!;
          counts.tcp++;
          const reply = answer(held.slice(2, 2 + size), "tcp");
          held = held.slice(2 + size);
          if (reply === null) continue;
          const out = Uint8Array.from([reply.length >> 8, reply.length & 255, ...reply]);
          for (let at = 0; at < out.length;) at += await connection.write(out.subarray(at));
        }
      }
    } catch {
      // The other side is gone.
    }
    if (connections.delete(connection)) connection.close();
  };
  const serveTcp = async () => {
    for await (const connection of listener) tasks.push(serveOne(connection));
  };
  tasks.push(serveUdp(), serveTcp());
  return {
    counts,
    async close() {
      socket.close();
      listener.close();
      for (const connection of [...connections]) {
        connections.delete(connection);
        connection.close();
      }
      await Promise.allSettled(tasks);
    },
  };
}
