import { createSocket } from "node:dgram";
import { freePort } from "../servers/ports.ts";

/** Returns the messages to send in reply to a query, in order. */
export type Script = (query: Uint8Array, transport: "udp" | "tcp") => Uint8Array[];

/** A DNS server on loopback, UDP and TCP on one port, that answers by script. */
export class ScriptedServer {
  readonly port: number;
  readonly #listener: Deno.Listener;
  readonly #socket: ReturnType<typeof createSocket>;

  private constructor(listener: Deno.TcpListener, socket: ReturnType<typeof createSocket>) {
    this.port = listener.addr.port;
    this.#listener = listener;
    this.#socket = socket;
  }

  /** @param at - address on loopback; default: 127.0.0.1 with a free port */
  static async start(
    script: Script,
    at: { hostname?: string; port?: number } = {},
  ): Promise<ScriptedServer> {
    // Not a port that the kernel picks for TCP: another socket may have it for UDP.
    const { hostname = "127.0.0.1", port = freePort() } = at;
    const listener = Deno.listen({ hostname, port });
    const socket = createSocket("udp4");
    socket.on("message", (query: Uint8Array, from: { address: string; port: number }) => {
      for (const reply of script(query, "udp")) socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.bind(listener.addr.port, hostname, resolve);
    });
    serveTcp(listener, script);
    return new ScriptedServer(listener, socket);
  }

  async stop(): Promise<void> {
    this.#listener.close();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

async function serveTcp(listener: Deno.TcpListener, script: Script): Promise<void> {
  for await (const connection of listener) {
    try {
      const size = await readExactly(connection, 2);
      const query = await readExactly(connection, (size[0]! << 8) | size[1]!);
      for (const reply of script(query, "tcp")) {
        await connection.write(Uint8Array.from([reply.length >> 8, reply.length & 255, ...reply]));
      }
    } catch {
      // Tests may disconnect at any time.
    } finally {
      connection.close();
    }
  }
}

async function readExactly(connection: Deno.Conn, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new Deno.errors.UnexpectedEof();
    at += count;
  }
  return bytes;
}
