import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import {
  type DatagramHandler,
  type Endpoint,
  NO_SOCKET,
  type StreamHandler,
} from "../../../src/engine/io.ts";
import { decode, optionsOf, queryBytes } from "../messages/messages.ts";
import { type Asked, type Behaviour, onlyAnswer, Simulation } from "./simulation.ts";
import { answering } from "./upstream_kinds.ts";

/** The default of `expire`, and a margin. */
const IDLE_MS = 20_000;

export interface ForwardingOptions<S extends Simulation> {
  before?: string;
  options?: string;
  policy?: string;
  tls?: boolean;
  seed?: number;
  maxExchanges?: number;
  Class?: new (corefile: string, options: object) => S;
}

/** Forwards to simulated upstreams at these addresses, in this order by default. */
export function forwarding<S extends Simulation = Simulation>(
  upstreams: Record<string, Behaviour>,
  all: ForwardingOptions<S> = {},
): S {
  const { before = "errors", options = "", policy = "sequential", tls = false, Class } = all;
  const to = Object.keys(upstreams).map((address) => tls ? `tls://${address}` : address).join(" ");
  const block = `. {\n${before}\nforward . ${to} {\npolicy ${policy}\n${options}\n}\n}`;
  const { seed = 1, maxExchanges } = all;
  const engine = maxExchanges === undefined ? { seed } : { seed, maxExchanges };
  const simulation = new (Class ?? Simulation as never)(block, engine) as S;
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:${tls ? 853 : 53}`, behaviour);
  }
  return simulation;
}

/** Forwards to one or several kinds of servers; late answers are sent as well. */
export function startKinds(
  behaviour: Behaviour | Behaviour[],
  options = "",
  { tls = false } = {},
): Simulation {
  const upstreams = [behaviour].flat().map((one, i) => [`10.0.0.${i + 1}`, one]);
  return forwarding(Object.fromEntries(upstreams), {
    before: "timeouts {\ndiscard 0\n}",
    options,
    tls,
  });
}

type Query = Partial<Parameters<typeof queryBytes>[0]> & {
  forMs?: number;
  client?: string;
};

/** Queries a name, `www.example.org` by default, then lets time pass. */
export function ask(simulation: Simulation, { forMs = 0, client, ...query }: Query = {}): Asked {
  const asked = simulation.ask(queryBytes({ name: "www.example.org", ...query }), 0, client);
  if (forMs > 0) simulation.run(forMs);
  return asked;
}

/** Queries `n0.example.org` and so on, or another prefix. */
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

export function askUntil(simulation: Simulation, untilMs: number, everyMs: number): Asked[] {
  return askMany(simulation, Math.ceil((untilMs - simulation.nowMs) / everyMs), { forMs: everyMs });
}

/** Milliseconds from a query to its first answer. */
export const waited = (asked: Asked) => asked.answers[0]!.atMs - asked.atMs;

/** Distinct response codes of queries with one answer each. */
export const rcodes = (asked: readonly Asked[]) => [
  ...new Set(asked.map((one) => onlyAnswer(one).rcode)),
];

/** The address in the only answer. */
export const addressIn = (asked: Asked) => (onlyAnswer(asked).answers![0] as { data: string }).data;

/** Clients' queries that reached an upstream, from this one on. */
export const sentTo = (simulation: Simulation, address: string, from = 0) =>
  simulation.seen.slice(from)
    .filter((line) => line.includes(` ${address}:53 `) && !line.endsWith(" . NS")).length;

/** Queries for a name or prefix that reached any upstream. */
export const sentFor = (simulation: Simulation, name: string) =>
  simulation.seen.filter((line) => line.includes(` ${name}`)).length;

export const checksOf = (simulation: Simulation, address: string) =>
  simulation.seen.filter((line) => line.includes(` ${address}:`) && line.endsWith(" NS")).length;

/** Replaces the upstreams of the `forward` at this position. */
export function deliver(
  simulation: Simulation,
  addresses: readonly string[],
  { position = 1, ...update }: {
    position?: number;
    policy?: string;
    readTimeoutMs?: number;
    forced?: Record<string, "up" | "down">;
  } = {},
): void {
  simulation.engine.blocks.deliver(0, position, {
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

const COOKIE = 10;

export const cookieOf = (query: codec.DecodedPacket) =>
  optionsOf(query).find(({ code }) => code === COOKIE)?.data ?? null;

/** A cookie option with a query's client part and this server part. */
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

/** Limits sockets; has streams only if `streams` is set. */
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

/** Names that begin with "slow" take a second and a half, others two milliseconds. */
export const bySpeed: Behaviour = answering((name) => name.startsWith("slow") ? 1500 : 2);

export function answered(asked: readonly Asked[]): number[] {
  return asked.filter(({ answers }) =>
    answers.length === 1 && decode(answers[0]!.bytes).answers!.length > 0
  ).map((one) => one.answers[0]!.atMs - one.atMs);
}

/** Fast names of other clients, one every 50 ms, during queries for slow names. */
export function mixed(
  simulation: Simulation,
  slowEveryMs: number,
): { fast: Asked[]; slow: Asked[] } {
  const fast: Asked[] = [];
  const slow: Asked[] = [];
  for (let ms = 0; ms < 6000; ms += 50) {
    if (ms % slowEveryMs === 0) slow.push(ask(simulation, { name: `slow${ms}.example.org` }));
    fast.push(ask(simulation, { name: `fast${ms}.example.org`, forMs: 50 }));
  }
  simulation.run(6000);
  return { fast, slow };
}

/** Each query has one answer, and nothing is open once all is idle. */
export function assertOver(simulation: Simulation, asked: readonly Asked[]): void {
  simulation.run(IDLE_MS);
  for (const one of asked) onlyAnswer(one);
  assert.equal(simulation.openUpstream, 0, "sockets and streams to servers");
  assert.equal(simulation.keptCount, 0, "return addresses");
}
