import type { Clock } from "../../../src/base/clock.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import type { DriverKind } from "../../../src/control/plane/messages.ts";
import { TlsThread } from "../../../src/control/encrypted/thread.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { fakeHost } from "../doubles/fake_host.ts";
import { a, decode, responseBytes } from "../messages/messages.ts";
import { freePort } from "../servers/ports.ts";
import { frame } from "../simulation/simulation.ts";
import { PATIENCE } from "../run/patience.ts";
import { planeDefaults } from "./plane_defaults.ts";

/** Runs a data plane with real sockets during `use`. */
export async function withDataPlane(
  options: {
    driver: DriverKind;
    corefile: string;
    onDead?: (why: string) => void;
    /** Memory limit of the process's control group. */
    memoryBytes?: number;
    tlsClock?: Clock;
  },
  use: (plane: DataPlane, logs: string[], tls: TlsThread) => Promise<void>,
): Promise<void> {
  const { driver, corefile, memoryBytes } = options;
  const host = memoryBytes === undefined ? fakeHost() : fakeHost({
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/memory.max": `${memoryBytes}\n`,
  });
  const { config } = loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, host);
  const logs: string[] = [];
  const log = (level: string, line: string) => void logs.push(`${level}: ${line}`);
  const tls = new TlsThread(log, options.tlsClock);
  tls.configure(config);
  const onDead = options.onDead ?? ((why) => {
    throw new Error(why);
  });
  const plane = new DataPlane(config, { ...planeDefaults(log), driver, tls, onDead });
  plane.bind();
  await plane.start();
  try {
    await use(plane, logs, tls);
  } finally {
    await plane.stop(2000);
    await tls.stop();
  }
}

/** `withDataPlane` for one server block on a free port of 127.0.0.1 with these directives. */
export async function withServer(
  options: { driver: DriverKind; directives: string; memoryBytes?: number },
  use: (port: number, plane: DataPlane, logs: string[]) => Promise<void>,
): Promise<void> {
  const port = freePort();
  const corefile = `.:${port} {\n bind 127.0.0.1\n ${options.directives}\n}`;
  await withDataPlane({ ...options, corefile }, (plane, logs) => use(port, plane, logs));
}

/** Sends a query and waits for its response; throws after `limitMs`. */
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
      // The port may still receive queries for its previous owner.
      const isResponse = (answer[2]! & 0x80) !== 0 && answer[0] === bytes[0] &&
        answer[1] === bytes[1];
      if (!isResponse) continue;
      const { hostname: source, port: sourcePort } = from as Deno.NetAddr;
      if (source === hostname && sourcePort === port) return answer;
      throw new Error(`answered from ${source} port ${sourcePort}`);
    }
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

const TCP_LIMIT_MS = 15_000 * PATIENCE;

/** Sends bytes over TCP, half-closes, and reads frames until the server closes. */
export async function askTcp(
  pieces: Uint8Array[],
  to: { hostname?: string; port: number },
): Promise<Uint8Array[]> {
  const connection = await Deno.connect({ hostname: to.hostname ?? "127.0.0.1", port: to.port });
  // Closing makes the read below fail.
  const limit = setTimeout(() => connection.close(), TCP_LIMIT_MS);
  for (const piece of pieces) await writeAll(connection, piece);
  await connection.closeWrite();
  const answers = await Array.fromAsync(readFrames(connection));
  clearTimeout(limit);
  connection.close();
  return answers;
}

/** Reads length-prefixed messages until the end of the stream. */
export async function* readFrames(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(65536);
  let rest = new Uint8Array();
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    rest = Uint8Array.from([...rest, ...buffer.subarray(0, n)]);
    let at = 0;
    for (let end = 0; at + 2 <= rest.length; at = end) {
      end = at + 2 + ((rest[at]! << 8) | rest[at + 1]!);
      if (end > rest.length) break;
      yield rest.slice(at + 2, end);
    }
    rest = rest.slice(at);
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** An upstream's answer; null for none. If it throws, a TCP connection is closed. */
export type UpstreamAnswer = (
  query: Uint8Array,
  transport: "udp" | "tcp",
) => Uint8Array | null | Promise<Uint8Array | null>;

/** Answers every question with this address. */
export function answerWith(address: string, ttlSeconds?: number): UpstreamAnswer {
  return (bytes) => {
    const query = decode(bytes);
    return responseBytes(query, { answers: [a(query.questions![0]!.name, address, ttlSeconds)] });
  };
}

/** An upstream on loopback, UDP and TCP. It handles queries concurrently. */
export function startUpstream(port: number, answer: UpstreamAnswer): {
  close(): Promise<void>;
  counts: { udp: number; tcp: number; ports: Set<number> };
} {
  const counts = { udp: 0, tcp: 0, ports: new Set<number>() };
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const connections = new Set<Deno.TcpConn>();
  const tasks: Promise<unknown>[] = [];
  const serveUdp = async () => {
    for await (const [bytes, from] of socket) {
      counts.udp++;
      counts.ports.add((from as Deno.NetAddr).port);
      const sending = Promise.resolve(answer(bytes, "udp"))
        .then((reply) => reply === null ? 0 : socket.send(reply, from));
      tasks.push(sending.catch(() => {}));
    }
  };
  const serveOne = async (connection: Deno.TcpConn) => {
    connections.add(connection);
    let writing: Promise<unknown> = Promise.resolve();
    try {
      for await (const bytes of readFrames(connection)) {
        counts.tcp++;
        const replying = answer(bytes, "tcp");
        writing = writing.then(async () => {
          const reply = await replying;
          if (reply !== null) await writeAll(connection, frame(reply));
        });
        writing.catch(() => {});
      }
      await writing;
    } catch {
      // The peer is gone, or `answer` threw.
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
      for (const connection of connections) connection.close();
      connections.clear();
      await Promise.allSettled(tasks);
    },
  };
}
