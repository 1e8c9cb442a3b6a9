import { PARAMETERS } from "./parameters.ts";

/** A response as seen by a client. */
export const OUTCOME = { WAITS: 0, ANSWER: 1, NODATA: 2, NXDOMAIN: 3, FAILED: 4 } as const;
/** One of `OUTCOME`. */
export type Outcome = typeof OUTCOME[keyof typeof OUTCOME];

/** Categories of queries by purpose. */
export const CATEGORIES = ["service A", "service AAAA", "search list", "outside"] as const;
/** One of `CATEGORIES`. */
export type Category = typeof CATEGORIES[number];

/** A question and its true answer. */
export interface Query {
  readonly key: number;
  readonly outcome: Outcome;
  readonly ttlSeconds: number;
  readonly category: Category;
  /** Below cluster.local. */
  readonly inCluster: boolean;
  /** In wire form, with id 0. */
  readonly wire: Uint8Array;
  readonly response: Uint8Array;
}

/** A name of the search list, with its simultaneous queries. */
export interface Step {
  readonly a: Query;
  readonly aaaa: Query;
}

/** Offset of a message's question. */
const QUESTION = 12;
const TYPE_A = 1;
const TYPE_AAAA = 28;
const TYPE_SOA = 6;
const CLUSTER = "cluster.local";
const ALWAYS = `kubernetes.default.svc.${CLUSTER}`;

/** All questions of a cluster, without duplicates. */
export class NameBook {
  readonly #steps = new Map<string, Step>();
  readonly #byHash = new Map<number, Query[]>();
  #count = 0;

  /** @param facts - the true answer; fixed by the first call for a name */
  step(
    name: string,
    facts: {
      exists: boolean;
      /** Without records. */
      empty?: boolean;
      ipv6?: boolean;
      ttlSeconds: number;
      searched?: boolean;
    },
  ): Step {
    let step = this.#steps.get(name);
    if (step === undefined) {
      step = { a: this.#query(name, TYPE_A, facts), aaaa: this.#query(name, TYPE_AAAA, facts) };
      this.#steps.set(name, step);
    }
    return step;
  }

  /** A message's question, or undefined for a health check. */
  find(bytes: Uint8Array): Query | undefined {
    const known = this.#byHash.get(hashOf(bytes))?.find(({ wire }) => asksTheSame(wire, bytes));
    if (known !== undefined) return known;
    const name = nameOf(bytes);
    if (!name.endsWith(`.${CLUSTER}`)) return undefined;
    // No pod asks for these.
    const facts = { ttlSeconds: PARAMETERS.clusterTtlSeconds, searched: true };
    const empty = /^((default|n\d+)\.)?svc\.cluster\.local$/.test(name);
    return this.step(name, { ...facts, exists: empty || name === ALWAYS, empty }).a;
  }

  #query(
    name: string,
    type: number,
    { exists, empty = false, ipv6 = false, ttlSeconds, searched = false }: Parameters<
      NameBook["step"]
    >[1],
  ): Query {
    const inCluster = name === CLUSTER || name.endsWith(`.${CLUSTER}`);
    const outcome = !exists
      ? OUTCOME.NXDOMAIN
      : !empty && (type === TYPE_A || ipv6)
      ? OUTCOME.ANSWER
      : OUTCOME.NODATA;
    const wire = Uint8Array.from([
      0,
      0,
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      ...nameBytes(name),
      ...u16(type),
      ...u16(1),
    ]);
    const query: Query = {
      key: this.#count++,
      outcome,
      ttlSeconds,
      inCluster,
      category: searched
        ? "search list"
        : !inCluster
        ? "outside"
        : type === TYPE_A
        ? "service A"
        : "service AAAA",
      wire,
      response: respond(wire, {
        outcome,
        type,
        ttlSeconds,
        zone: inCluster ? CLUSTER : name.split(".").slice(-2).join("."),
      }),
    };
    const hash = hashOf(wire);
    const alike = this.#byHash.get(hash);
    if (alike === undefined) this.#byHash.set(hash, [query]);
    else alike.push(query);
    return query;
  }
}

/** Outcome of a response. */
export function outcomeOf(bytes: Uint8Array, offset: number): Outcome {
  const rcode = bytes[offset + 3]! & 15;
  if (rcode === 3) return OUTCOME.NXDOMAIN;
  if (rcode !== 0) return OUTCOME.FAILED;
  return bytes[offset + 6] === 0 && bytes[offset + 7] === 0 ? OUTCOME.NODATA : OUTCOME.ANSWER;
}

function respond(
  query: Uint8Array,
  { outcome, type, ttlSeconds, zone }: {
    outcome: Outcome;
    type: number;
    ttlSeconds: number;
    zone: string;
  },
): Uint8Array {
  const answers = outcome === OUTCOME.ANSWER;
  const size = type === TYPE_A ? 4 : 16;
  const record = answers
    ? [0xc0, 12, ...u16(type), ...u16(1), ...u32(ttlSeconds), ...u16(size), ...Array(size).fill(10)]
    : soa(zone, ttlSeconds);
  const response = Uint8Array.from([...query, ...record]);
  // QR, AA, RD; RA and the response code.
  response[2] = 0x85;
  response[3] = 0x80 | (outcome === OUTCOME.NXDOMAIN ? 3 : 0);
  response[answers ? 7 : 9] = 1;
  return response;
}

function soa(zone: string, seconds: number): number[] {
  const data = [...nameBytes(`ns.dns.${zone}`), ...nameBytes(`hostmaster.${zone}`)];
  for (const value of [1, 7200, 1800, 86_400, seconds]) data.push(...u32(value));
  return [
    ...nameBytes(zone),
    ...u16(TYPE_SOA),
    ...u16(1),
    ...u32(seconds),
    ...u16(data.length),
    ...data,
  ];
}

function nameBytes(name: string): number[] {
  const labels = name.split(".").map((label) => [label.length, ...new TextEncoder().encode(label)]);
  return [...labels.flat(), 0];
}

function u16(value: number): number[] {
  return [value >> 8, value & 255];
}

function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

function nameOf(query: Uint8Array): string {
  const labels: string[] = [];
  for (let at = QUESTION; query[at] !== 0; at += query[at]! + 1) {
    labels.push(String.fromCharCode(...query.subarray(at + 1, at + 1 + query[at]!)));
  }
  return labels.join(".");
}

/** FNV-1a hash of a query's name and type. */
function hashOf(query: Uint8Array): number {
  let hash = 0x811c9dc5;
  let at = QUESTION;
  for (; query[at] !== 0; at++) hash = Math.imul(hash ^ query[at]!, 0x01000193);
  return hash ^ query[at + 2]!;
}

/** Whether `wire`, which ends with its question, asks the same. */
function asksTheSame(wire: Uint8Array, query: Uint8Array): boolean {
  for (let i = QUESTION; i < wire.length; i++) {
    if (wire[i] !== query[i]) return false;
  }
  return true;
}
