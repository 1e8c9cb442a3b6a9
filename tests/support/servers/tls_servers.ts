import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";
import type { Certificate } from "./certificates.ts";

export interface TestServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A TLS server that passes on each connection, or answers every frame if `answer` is given. */
export async function startTls(
  certificate: Certificate,
  use: {
    connection?(socket: tls.TLSSocket): void;
    accepted?(socket: net.Socket): void;
    answer?(query: Uint8Array): Uint8Array | null;
    alpn?: string;
  },
): Promise<TestServer> {
  const server = tls.createServer(
    { cert: certificate.cert, key: certificate.key, ALPNProtocols: [use.alpn ?? "dot"] },
    (socket) => {
      socket.on("error", () => {});
      use.connection?.(socket);
      if (use.answer !== undefined) answerFrames(socket, use.answer);
    },
  );
  server.on("connection", (socket: net.Socket) => use.accepted?.(socket));
  return await listen(server);
}

export async function startTcp(use: (socket: net.Socket) => void): Promise<TestServer> {
  return await listen(net.createServer((socket) => {
    socket.on("error", () => {});
    use(socket);
  }));
}

export interface HttpRequest {
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly stream: http2.ServerHttp2Stream;
  readonly session: http2.ServerHttp2Session;
  cut(): void;
}

/** An HTTP/2 server over TLS that passes on each request. */
export async function startHttp(
  certificate: Certificate,
  use: (request: HttpRequest) => void,
): Promise<TestServer> {
  const server = http2.createSecureServer({ cert: certificate.cert, key: certificate.key });
  let newest: net.Socket | null = null;
  server.on("secureConnection", (socket: net.Socket) => newest = socket);
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    const parts: Uint8Array[] = [];
    const session = stream.session as http2.ServerHttp2Session;
    stream.on("error", () => {});
    stream.on("data", (part: Uint8Array) => parts.push(part));
    stream.on("end", () => {
      const body = Uint8Array.from(parts.flatMap((part) => [...part]));
      use({ headers, body, stream, session, cut: () => newest?.destroy() });
    });
  });
  server.on("session", (session) => session.on("error", () => {}));
  return await listen(server);
}

function answerFrames(
  socket: tls.TLSSocket,
  answer: (query: Uint8Array) => Uint8Array | null,
): void {
  let held: Uint8Array = new Uint8Array();
  socket.on("data", (bytes: Uint8Array) => {
    held = Uint8Array.from([...held, ...bytes]);
    while (held.length >= 2 && held.length >= 2 + ((held[0]! << 8) | held[1]!)) {
      const size = (held[0]! << 8) | held[1]!;
      const reply = answer(held.slice(2, 2 + size));
      held = held.slice(2 + size);
      if (reply !== null) {
        socket.write(Uint8Array.from([reply.length >> 8, reply.length & 255, ...reply]));
      }
    }
  });
}

async function listen(server: net.Server): Promise<TestServer> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("secureConnection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
