import { systemClock } from "../base/clock.ts";
import { MAX_MESSAGE_SIZE } from "../dns/constants.ts";

/** Destination of a query. */
export interface QueryTarget {
  address: string;
  port: number;
}

/** Limits of waiting for a reply. */
export interface QueryWait {
  timeoutMs: number;
  accept: (message: Uint8Array) => boolean;
  /** Ends the wait, as "stopped". */
  signal?: AbortSignal;
  /** For UDP only. */
  source?: string;
}

/** Missing reply, described in dig's words ("timed out"). */
export class NoReplyError extends Error {}

/** Asks over UDP from a random port. Throws `NoReplyError`. */
export function askUdp(
  { address: hostname, port }: QueryTarget,
  query: Uint8Array,
  wait: QueryWait,
): Promise<Uint8Array> {
  return limited(wait, async (stop) => {
    const own = wait.source ?? (hostname.includes(":") ? "::" : "0.0.0.0");
    const socket = Deno.listenDatagram({ transport: "udp", hostname: own, port: 0 });
    stop.addEventListener("abort", () => close(socket));
    try {
      const buffer = new Uint8Array(MAX_MESSAGE_SIZE);
      await socket.send(query, { transport: "udp", hostname, port });
      for (;;) {
        const [message, from] = await socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
        if (from.port !== port || !sameAddress(from.hostname, hostname)) continue;
        if (wait.accept(message)) return message.slice();
      }
    } finally {
      close(socket);
    }
  });
}

/** Asks over a new TCP connection (RFC 1035 section 4.2.2). Throws `NoReplyError`. */
export function askTcp(
  { address: hostname, port }: QueryTarget,
  query: Uint8Array,
  wait: QueryWait,
): Promise<Uint8Array> {
  return limited(wait, async (stop) => {
    const connection = await Deno.connect({ hostname, port, signal: stop });
    stop.addEventListener("abort", () => close(connection));
    try {
      const message = new Uint8Array(2 + query.length);
      new DataView(message.buffer).setUint16(0, query.length);
      message.set(query, 2);
      for (let at = 0; at < message.length;) at += await connection.write(message.subarray(at));
      for (;;) {
        const size = await read(connection, 2);
        const reply = await read(connection, new DataView(size.buffer).getUint16(0));
        if (wait.accept(reply)) return reply;
      }
    } finally {
      close(connection);
    }
  });
}

async function limited<T>(
  { timeoutMs, signal }: QueryWait,
  ask: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onStop = () => stop.abort("stopped");
  const cancel = systemClock.after(timeoutMs, () => stop.abort("timed out"));
  signal?.addEventListener("abort", onStop);
  if (signal?.aborted) onStop();
  try {
    return await ask(stop.signal);
  } catch (error) {
    throw new NoReplyError(stop.signal.aborted ? stop.signal.reason : reason(error as Error));
  } finally {
    cancel();
    signal?.removeEventListener("abort", onStop);
  }
}

async function read(connection: Deno.TcpConn, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new Error("end of file");
    at += count;
  }
  return bytes;
}

function close(socket: { close(): void }): void {
  try {
    socket.close();
  } catch {
    // Already closed.
  }
}

/** Received link-local addresses have a scope. */
function sameAddress(left: string, right: string): boolean {
  return left.split("%")[0] === right.split("%")[0];
}

function reason(error: Error): string {
  const { code } = error as { code?: string };
  if (code === "ECONNREFUSED" || error instanceof Deno.errors.ConnectionRefused) {
    return "connection refused";
  }
  if (code === "ENETUNREACH") return "network unreachable";
  if (code === "EHOSTUNREACH") return "host unreachable";
  return error.message.replace(/ \(os error \d+\)$/, "");
}
