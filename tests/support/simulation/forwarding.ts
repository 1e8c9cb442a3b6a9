import type * as codec from "dns-packet";
import {
  type DatagramHandler,
  type Endpoint,
  NO_SOCKET,
  type StreamHandler,
} from "../../../src/engine/io.ts";
import { optionsOf, queryBytes } from "../messages/messages.ts";
import { type Asked, type Behaviour, onlyAnswer, Simulation } from "./simulation.ts";

/** A server block with `forward`. */
export interface ForwardingOptions<S extends Simulation> {
  /** Lines of the block before `forward`. */
  before?: string;
  /** Options of `forward` besides its policy. */
  options?: string;
  policy?: string;
  seed?: number;
  maxExchanges?: number;
  Class?: new (corefile: string, options: object) => S;
}

/** Forwards to simulated upstreams at these addresses, in this order by default. */
export function forwarding<S extends Simulation = Simulation>(
  upstreams: Record<string, Behaviour>,
  { before = "errors", options = "", policy = "sequential", Class, ...engine }: ForwardingOptions<
    S
  > = {},
): S {
  const to = Object.keys(upstreams).join(" ");
  const block = `. {\n${before}\nforward . ${to} {\npolicy ${policy}\n${options}\n}\n}`;
  const simulation = new (Class ?? Simulation as never)(block, engine) as S;
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return simulation;
}

type Query = Partial<Parameters<typeof queryBytes>[0]> & {
  /** Time to let pass after each query. */
  forMs?: number;
  client?: string;
};

/** Asks a name, `www.example.org` by default, then lets time pass. */
export function ask(simulation: Simulation, { forMs = 0, client, ...query }: Query = {}): Asked {
  const asked = simulation.ask(queryBytes({ name: "www.example.org", ...query }), 0, client);
  if (forMs > 0) simulation.run(forMs);
  return asked;
}

/** Asks `n0.example.org` and so on, or another prefix. */
export function askMany(
  simulation: Simulation,
  count: number,
  { prefix = "n", ...query }: Query & { prefix?: string } = {},
): Asked[] {
  return Array.from(
    { length: count },
    (_, i) => ask(simulation, { ...query, name: `${prefix}${i}.example.org` }),
  );
}

/** Milliseconds from a query to its first answer. */
export const waited = (asked: Asked) => asked.answers[0]!.atMs - asked.atMs;

/** The different response codes of queries, each with one answer. */
export const rcodes = (asked: readonly Asked[]) => [
  ...new Set(asked.map((one) => onlyAnswer(one).rcode)),
];

/** The address in the only answer. */
export const addressIn = (asked: Asked) => (onlyAnswer(asked).answers![0] as { data: string }).data;

/** Clients' queries that reached an upstream, from this one on. */
export const sentTo = (simulation: Simulation, address: string, from = 0) =>
  simulation.seen.slice(from)
    .filter((line) => line.includes(` ${address}:53 `) && !line.endsWith(" . NS")).length;

/** Queries for a name, or names with a prefix, that reached any upstream. */
export const sentFor = (simulation: Simulation, name: string) =>
  simulation.seen.filter((line) => line.includes(` ${name}`)).length;

/** Health checks that reached an upstream. */
export const checksOf = (simulation: Simulation, address: string) =>
  simulation.seen.filter((line) => line.includes(` ${address}:`) && line.endsWith(" NS")).length;

/** Gives a `forward` at this position other upstreams. */
export function deliver(
  simulation: Simulation,
  addresses: readonly string[],
  { position = 1, ...update }: { position?: number; policy?: string; readTimeoutMs?: number } = {},
): void {
  simulation.engine.deliver(0, position, {
    upstreams: addresses.map((address) => ({
      address,
      port: 53,
      transport: "dns",
      serverName: "",
    })),
    readTimeoutMs: 2000,
    maxConnectAttempts: null,
    policy: "sequential",
    ...update,
  });
}

/** Code of the cookie option (RFC 7873). */
const COOKIE = 10;

/** Data of the cookie option of a query, or null. */
export const cookieOf = (query: codec.DecodedPacket) =>
  optionsOf(query).find(({ code }) => code === COOKIE)?.data ?? null;

/** A cookie option with the client's part of a query's cookie and this server's part. */
export function serverCookie(
  query: codec.DecodedPacket,
  { size = 8, octet = 7 } = {},
): { code: number; data: Uint8Array }[] {
  const cookie = cookieOf(query);
  if (cookie === null) return [];
  const data = new Uint8Array(8 + size).fill(octet);
  data.set(cookie.subarray(0, 8));
  return [{ code: COOKIE, data }];
}

/** Has a limited number of sockets, and streams only if `streams` is set. */
export class FewSockets extends Simulation {
  sockets = Infinity;
  streams = true;
  used = 0;
  mostUsed = 0;
  mostStreams = 0;
  override open(endpoint: Endpoint, handler: DatagramHandler): number {
    if (this.used >= this.sockets) return NO_SOCKET;
    this.used++;
    this.mostUsed = Math.max(this.used, this.mostUsed);
    return super.open(endpoint, handler);
  }
  override release(index: number): void {
    this.used--;
    super.release(index);
  }
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (!this.streams) return -1;
    const stream = super.connect(endpoint, handler);
    this.mostStreams = Math.max(this.mostStreams, this.openUpstream - this.used);
    return stream;
  }
}
