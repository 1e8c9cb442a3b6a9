/**
 * The well-behaved client's process: hits and misses over UDP, some over TCP, at a steady pace
 * until its standard input ends; then prints its samples as JSON. One thread that blocks in poll,
 * so that it measures nodens and not its own event loop.
 */
import { KINDS, type Sample } from "./client_report.ts";
import { GOOD_ZONES, HONEST_ADDRESS, PLACES, SERVER } from "./places.ts";
import { POLL, poll, Socket } from "./sockets.ts";
import { say } from "./say.ts";
import { framed, headerOf, query, questionOf } from "./wire.ts";

/** Questions per second, by kind. */
const RATES = [200, 20, 5, 5];
const HIT_NAMES = 100;
const PATIENCE_MS = 3_000;
/** Source ports over TCP, outside the kernel's range, which an attack may exhaust. */
const TCP_PORTS = { first: 21_000, count: 8_000 } as const;
const STDIN = 0;

interface Waiting {
  readonly kind: number;
  readonly at: number;
  readonly began: number;
  readonly name: string;
}

interface Connection extends Waiting {
  readonly socket: Socket;
  readonly message: Uint8Array;
  sent: boolean;
}

const samples: Sample[] = [];
const udp = Socket.udp({ address: PLACES.client, port: 20_000 }, SERVER);
const waiting = new Map<number, Waiting>();
let connections: Connection[] = [];
let serial = 0;

for (let i = 0; i < HIT_NAMES; i++) ask(1, hitName(i)); // so that later queries are hits
settle(1_000);
samples.length = 0;
say("ready");
run();
udp.close();
say(JSON.stringify(samples));

function run(): void {
  const due = RATES.map(() => performance.now());
  for (let asking = true; asking;) {
    const now = performance.now();
    due.forEach((at, kind) => {
      if (at > now) return;
      due[kind] = at + 1000 / RATES[kind]!;
      const name = kind % 2 === 0 ? hitName(serial) : `m${serial}-${Deno.pid}.${zone(serial)}`;
      ask(kind, name);
    });
    asking = turn(Math.min(...due) - performance.now(), true);
  }
  settle(PATIENCE_MS);
}

function settle(ms: number): void {
  const end = performance.now() + ms;
  while (waiting.size + connections.length > 0 && performance.now() < end) turn(20, false);
  for (const { kind, at } of [...waiting.values(), ...connections]) samples.push([kind, at, -1]);
  connections.forEach(({ socket }) => socket.close());
  waiting.clear();
  connections = [];
}

function hitName(n: number): string {
  return `h${n % HIT_NAMES}.${zone(n % HIT_NAMES)}`;
}

function zone(n: number): string {
  return GOOD_ZONES[n % GOOD_ZONES.length]!;
}

function ask(kind: number, name: string): void {
  const id = serial++ & 0xffff;
  const message = query(name, 1, { id });
  const one = { kind, at: Date.now(), began: performance.now(), name };
  if (KINDS[kind]!.startsWith("tcp")) {
    const port = TCP_PORTS.first + serial % TCP_PORTS.count;
    const socket = Socket.tcp({ address: PLACES.client, port }, SERVER);
    connections.push({ ...one, socket, message: framed(message), sent: false });
    return;
  }
  waiting.set(id, one);
  udp.send(message);
}

/** Handles input for at most `ms`; false once standard input has ended. */
function turn(ms: number, stoppable: boolean): boolean {
  const events = poll([
    { fd: stoppable ? STDIN : -1, events: POLL.IN },
    { fd: udp.fd, events: POLL.IN },
    ...connections.map(({ socket, sent }) => ({
      fd: socket.fd,
      events: sent ? POLL.IN : POLL.OUT,
    })),
  ], Math.max(0, Math.ceil(ms)));
  for (let message = udp.receive(); message !== null; message = udp.receive()) {
    const { id } = headerOf(message);
    const one = waiting.get(id);
    if (one === undefined || questionOf(message).name !== one.name) continue;
    waiting.delete(id);
    finish(one, message);
  }
  const happened = connections.map((connection, i) => ({ connection, events: events[i + 2]! }));
  for (const { connection, events } of happened) {
    if (events !== 0) advance(connection);
  }
  return events[0] === 0;
}

function advance(connection: Connection): void {
  if (!connection.sent) {
    connection.sent = connection.socket.send(connection.message) > 0;
    if (connection.sent) return;
  }
  // An answer is one segment on this network.
  const got = connection.socket.receive();
  connections = connections.filter((other) => other !== connection);
  connection.socket.close();
  finish(connection, got === null || got.length < 14 ? null : got.subarray(2));
}

function finish({ kind, at, began }: Waiting, message: Uint8Array | null): void {
  const good = message !== null && headerOf(message).rcode === 0 &&
    headerOf(message).answers > 0 && includes(message, HONEST_ADDRESS);
  samples.push([kind, at, good ? performance.now() - began : -1]);
}

function includes(message: Uint8Array, octets: Uint8Array): boolean {
  return message.some((_, i) => octets.every((octet, k) => message[i + k] === octet));
}
