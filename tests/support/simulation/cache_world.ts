import { a, type Decoded, queryBytes, responseBytes, soa } from "../messages/messages.ts";
import type * as codec from "dns-packet";
import { CLIENT_SUBNET, type Reply, subnet, subnetIn } from "./subnets.ts";
import { type Asked, type Behaviour, onlyAnswer, Simulation } from "./simulation.ts";

export const NAME = "www.example.org";

type Query = Partial<Parameters<typeof queryBytes>[0]>;

/** A cache in front of one upstream, whose behaviour a test changes. */
export class CacheWorld {
  readonly simulation: Simulation;
  behaviour: Behaviour;

  constructor(
    behaviour: Behaviour,
    options = "",
    { forward = "", ...others }: ConstructorParameters<typeof Simulation>[1] & {
      forward?: string;
    } = {},
  ) {
    this.behaviour = behaviour;
    this.simulation = new Simulation(
      `. {\n cache {\n ${options}\n }\n forward . 10.0.0.1 {\n ${forward}\n }\n}`,
      others,
    );
    this.simulation.upstream("10.0.0.1:53", (...args) => this.behaviour(...args));
  }

  send(query: Query = {}, client?: string): Asked {
    return this.simulation.ask(queryBytes({ name: NAME, ...query }), 0, client);
  }

  ask(query: Query = {}, { waitMs = 50, client }: { waitMs?: number; client?: string } = {}) {
    const asked = this.send(query, client);
    this.simulation.run(waitMs);
    return onlyAnswer(asked);
  }

  run(ms: number): void {
    this.simulation.run(ms);
  }

  count(metric: string): number {
    return this.simulation.count(metric);
  }

  get upstreamQueries(): number {
    return this.simulation.seen.length;
  }

  get lookups(): number {
    return this.count("nodens_forward_lookups_total");
  }
}

/** Replies to every query in the same way. */
export function replying(
  options: Parameters<typeof responseBytes>[1] = {},
  delayMs = 1,
): Behaviour {
  return (query) => [{ bytes: responseBytes(query, options), delayMs }];
}

export function answering(
  { data = "192.0.2.7", ttl = 300, delayMs = 1 }: {
    data?: string;
    ttl?: number;
    delayMs?: number;
  } = {},
): Behaviour {
  return (query, ...rest) =>
    replying({ answers: [a(query.questions![0]!.name, data, ttl)] }, delayMs)(query, ...rest);
}

export function denying(ttl = 30): Behaviour {
  return replying({ rcode: 3, authorities: [soa("example.org", ttl)] });
}

export const failing: Behaviour = replying({ rcode: 2 });
export const silent: Behaviour = () => [];

export function ttlOf(answer: Decoded): number {
  return (answer.answers![0] as { ttl: number }).ttl;
}

/** Data of an answer's first record, or the response code. */
export function dataOf(answer: Decoded): string {
  return (answer.answers?.[0] as { data: string } | undefined)?.data ?? answer.rcode;
}

/** EDNS options of a query from a client in a subnet, or without one. */
export function subnetOptions(from: string | null): { code: number; data: Uint8Array }[] {
  return from === null ? [] : [{ code: CLIENT_SUBNET, data: subnet(from) }];
}

/** EDNS options of the reply to a query that may have a subnet. */
export function replyOptions(query: codec.DecodedPacket, reply: Reply) {
  const data = subnetIn(query);
  const sent = data === null ? null : reply(Uint8Array.from(data));
  return sent === null ? [] : [{ code: CLIENT_SUBNET, data: sent }];
}

/**
 * Queries for a client in a subnet, or without one; returns the address's last octet and the
 * scope.
 */
export function askFrom(
  world: CacheWorld,
  from: string | null,
  { waitMs = 100, ...query }: { name?: string; waitMs?: number } = {},
) {
  const answer = world.ask({ ...query, edns: 1232, ednsOptions: subnetOptions(from) }, { waitMs });
  const [record] = answer.answers as { data: string }[];
  return {
    rcode: answer.rcode,
    number: record === undefined ? 0 : Number(record.data.split(".")[3]),
    scope: subnetIn(answer)?.[3] ?? null,
  };
}
