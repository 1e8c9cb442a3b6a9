/**
 * The upstream's process: honest for the client's names, by the attack's script for others. Serves
 * until its standard input ends, then prints its counts as JSON.
 */
import { attackNamed } from "../attacks.ts";
import type { UpstreamReply } from "./attack.ts";
import { GOOD_ZONES, HONEST_ADDRESS, PLACES } from "./places.ts";
import { say } from "./say.ts";
import { certificate, TLS_PORT } from "./tls.ts";
import { address, framed, questionOf, reply, soa, TYPE } from "./wire.ts";

/** TTL of honest answers; longer than an attack. */
const TTL = 600;
/** A query repeated within this time is a resend. */
const RESEND_MS = 1_000;
const MAX_DATAGRAM = 65_535;

export interface UpstreamReport {
  readonly udp: number;
  readonly tcp: number;
  /** Queries for hits that were answered too long ago to be a resend. */
  readonly hitsAskedAgain: number;
}

const [name = "", ...addresses] = Deno.args;
const { upstream: script } = attackNamed(name);
const count = { udp: 0, tcp: 0 };
/** Time of the last query for each hit. */
const hits = new Map<string, number>();
let hitsAskedAgain = 0;

function answer(query: Uint8Array, transport: "udp" | "tcp"): UpstreamReply | null {
  count[transport]++;
  const question = questionOf(query);
  if (GOOD_ZONES.some((zone) => question.name.endsWith(zone))) {
    if (question.labels[0]!.startsWith("h")) {
      const now = performance.now();
      if (now - (hits.get(question.name) ?? now) > RESEND_MS) hitsAskedAgain++;
      hits.set(question.name, now);
    }
  } else if (script !== undefined && question.name.includes("evil.")) {
    return script(query, transport);
  }
  return question.type === TYPE.A
    ? reply(query, { answers: [address(TTL, HONEST_ADDRESS)] })
    : reply(query, { authority: [soa(TTL)] });
}

function later(said: UpstreamReply, send: (message: Uint8Array) => unknown): void {
  if (said instanceof Uint8Array) void send(said);
  else setTimeout(() => send(said.message), said.delayMs);
}

async function serveUdp(hostname: string): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
  const buffer = new Uint8Array(MAX_DATAGRAM);
  for (;;) {
    const [query, from] = await socket.receive(buffer);
    const said = answer(query.slice(), "udp");
    if (said !== null) later(said, (message) => socket.send(message, from).catch(() => {}));
  }
}

async function serveTcp(hostname: string): Promise<void> {
  for await (const connection of Deno.listen({ hostname, port: 53 })) void converse(connection);
}

async function serveTls(hostname: string): Promise<void> {
  const pair = certificate();
  if (pair === null) return;
  const listener = Deno.listenTls({ hostname, port: TLS_PORT.dot, ...pair });
  for (;;) {
    try {
      void converse(await listener.accept());
    } catch {
      // A failed handshake.
    }
  }
}

async function converse(connection: Deno.Conn): Promise<void> {
  let pending = new Uint8Array(0);
  let writing = Promise.resolve();
  const send = (message: Uint8Array) => {
    writing = writing.then(() => writeAll(connection, framed(message))).catch(() => {});
  };
  const chunk = new Uint8Array(1 << 16);
  try {
    for (;;) {
      const got = await connection.read(chunk);
      if (got === null) return;
      const joined = new Uint8Array(pending.length + got);
      joined.set(pending);
      joined.set(chunk.subarray(0, got), pending.length);
      pending = joined;
      for (;;) {
        const length = pending.length < 2 ? Infinity : (pending[0]! << 8) | pending[1]!;
        if (pending.length < 2 + length) break;
        const said = answer(pending.slice(2, 2 + length), "tcp");
        pending = pending.slice(2 + length);
        if (said !== null) later(said, send);
      }
    }
  } catch {
    // nodens may reset a connection at any time.
  } finally {
    await writing;
    connection.close();
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

if (import.meta.main) {
  for (const hostname of addresses.length > 0 ? addresses : [PLACES.upstream]) {
    void serveUdp(hostname);
    void serveTcp(hostname);
    void serveTls(hostname);
  }
  say("ready");
  for await (const _ of Deno.stdin.readable);
  say(JSON.stringify({ ...count, hitsAskedAgain } satisfies UpstreamReport));
  Deno.exit(0);
}
