import { MAX_MESSAGE_SIZE } from "../dns/constants.ts";

/** Where a query goes. */
export interface QueryTarget {
  /** IP address. */
  address: string;
  port: number;
}

/** How long to wait for a reply, and who judges what comes. */
export interface QueryWait {
  timeoutMs: number;
  /** Says whether a message is the reply; others are passed over and the wait goes on. */
  accept: (message: Uint8Array) => boolean;
  /** Ends the wait before its time, as "stopped". */
  signal?: AbortSignal;
  /** Address of this machine to ask from (UDP alone); without, the kernel chooses. */
  source?: string;
}

/** No reply; the message says why in dig's words ("timed out", "connection refused"). */
export class NoReplyError extends Error {}

/** Asks over UDP from a fresh socket, so from a port of the kernel's random choice. */
export async function askUdp(
  target: QueryTarget,
  query: Uint8Array,
  { timeoutMs, accept, signal, source }: QueryWait,
): Promise<Uint8Array> {
  const { address: hostname, port } = target;
  const own = source ?? (hostname.includes(":") ? "::" : "0.0.0.0");
  const buffer = new Uint8Array(MAX_MESSAGE_SIZE);
  let socket: Deno.DatagramConn | null = null;
  let ended: string | null = null;
  const end = (why: string) => {
    ended ??= why;
    if (socket !== null) close(socket);
  };
  const onStop = () => end("stopped");
  const timer = setTimeout(() => end("timed out"), timeoutMs);
  signal?.addEventListener("abort", onStop);
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname: own, port: 0 });
    await socket.send(query, { transport: "udp", hostname, port });
    for (;;) {
      const [message, from] = await socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
      if (from.port !== port || !sameAddress(from.hostname, hostname)) continue;
      if (accept(message)) return message.slice();
    }
  } catch (error) {
    throw new NoReplyError(ended ?? reason(error as Error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onStop);
    if (socket !== null) close(socket);
  }
}

/** Asks over TCP: one connection, one query (RFC 1035 section 4.2.2). */
export async function askTcp(
  target: QueryTarget,
  query: Uint8Array,
  { timeoutMs, accept, signal }: QueryWait,
): Promise<Uint8Array> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const onStop = () => stop.abort();
  signal?.addEventListener("abort", onStop);
  let connection: Deno.TcpConn | null = null;
  try {
    connection = await Deno.connect({
      hostname: target.address,
      port: target.port,
      signal: stop.signal,
    });
    const open = connection;
    stop.signal.addEventListener("abort", () => close(open));
    const message = new Uint8Array(2 + query.length);
    new DataView(message.buffer).setUint16(0, query.length);
    message.set(query, 2);
    for (let at = 0; at < message.length;) at += await open.write(message.subarray(at));
    for (;;) {
      const size = await read(open, 2);
      const reply = await read(open, new DataView(size.buffer).getUint16(0));
      if (accept(reply)) return reply;
    }
  } catch (error) {
    if (signal?.aborted) throw new NoReplyError("stopped");
    throw new NoReplyError(stop.signal.aborted ? "timed out" : reason(error as Error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onStop);
    if (connection !== null) close(connection);
  }
}

async function read(connection: Deno.TcpConn, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new NoReplyError("end of file");
    at += count;
  }
  return bytes;
}

function close(socket: { close(): void }): void {
  try {
    socket.close();
  } catch {
    // Closed already, by the time limit.
  }
}

/** `::1` and the like come back as they were given but for the scope of link-local addresses. */
function sameAddress(left: string, right: string): boolean {
  return left.split("%")[0] === right.split("%")[0];
}

/** What went wrong, as resolver tools say it. */
function reason(error: Error): string {
  if (error instanceof NoReplyError) return error.message;
  const code = (error as { code?: string }).code;
  if (code === "ECONNREFUSED" || error instanceof Deno.errors.ConnectionRefused) {
    return "connection refused";
  }
  if (code === "ENETUNREACH") return "network unreachable";
  if (code === "EHOSTUNREACH") return "host unreachable";
  return error.message.replace(/ \(os error \d+\)$/, "");
}
