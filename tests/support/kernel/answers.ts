/**
 * Names whose answers tests know: the first letter is the kind of answer, the second its TTL, and
 * the data depends on the name and on the world's epoch alone.
 */
import { RCODE, TYPE } from "../../../src/dns/constants.ts";

const HTTPS = 65;

/** Kinds of answers, and the type of query that gets them. */
export const KINDS = {
  /** One address. */
  a: TYPE.A,
  q: TYPE.AAAA,
  /** 28 addresses. */
  m: TYPE.A,
  /** An alias of an alias of an address. */
  c: TYPE.A,
  /** A text of 1,100 octets. */
  t: TYPE.TXT,
  /** Three services. */
  s: TYPE.SRV,
  /** A binding with parameters. */
  v: HTTPS,
  /** No data. */
  n: TYPE.A,
  /** No such name. */
  x: TYPE.A,
  /** SERVFAIL. */
  f: TYPE.A,
  /** REFUSED. */
  r: TYPE.A,
  /** Ten addresses; all octets of all are the number of this answer, modulo 256. */
  w: TYPE.A,
} as const;

/** TTLs in seconds by letter. */
export const TTLS = { l: 3600, m: 60, s: 3, t: 1, z: 0 } as const;

/** A kind of answer. */
export type Kind = keyof typeof KINDS;

/** What answers depend on besides the name. */
export interface World {
  epoch: number;
  /** Answers given for names of kind `w`. */
  given: Map<string, number>;
}

const POINTER_TO_NAME = [0xc0, 12];
const MANY = 28;
const WHOLE = 10;
const TEXT_OCTETS = 1100;
const CLASS_IN = 1;

/** A name in wire format; labels of letters. */
export function wireName(name: string): Uint8Array {
  const bytes: number[] = [];
  for (const label of name.split(".")) {
    bytes.push(label.length, ...new TextEncoder().encode(label));
  }
  return Uint8Array.from([...bytes, 0]);
}

/** Kind and TTL that a name asks for; "x" for a name of another form. */
export function readName(first: string): { kind: Kind; ttl: number } {
  const [, kind, ttl] = /^([a-z])([lmstz])\d/.exec(first) ?? [];
  if (kind === undefined || !(kind in KINDS)) return { kind: "x", ttl: TTLS.l };
  return { kind: kind as Kind, ttl: TTLS[ttl as keyof typeof TTLS] };
}

/** The upstream's response to a well-formed query; null for anything else. */
export function answerTo(query: Uint8Array, world: World): Uint8Array | null {
  if (query.length < 17 || query[2]! & 0xf8) return null;
  let at = 12;
  while (query[at]) at += 1 + query[at]!;
  const end = at + 5;
  if (end > query.length) return null;
  const [type, qclass] = [word(query, at + 1), word(query, at + 3)];
  const name = String.fromCharCode(...query.subarray(12, at)).toLowerCase();
  const { kind, ttl } = readName(name.slice(1, 1 + (query[12] ?? 0)));
  const hasOpt = query.length >= end + 11 && query[end] === 0 && word(query, end + 1) === TYPE.OPT;

  const records: number[] = [];
  const counts = [0, 0];
  const add = (section: 0 | 1, owner: readonly number[], kindOf: number, data: number[]) => {
    counts[section]!++;
    records.push(...owner, ...bytes16(kindOf), ...bytes16(CLASS_IN), ...bytes32(ttl));
    records.push(...bytes16(data.length), ...data);
  };
  const seed = hash(`${name} ${world.epoch}`);
  const address = (n: number) => bytes32(hash(`${seed} ${n}`));
  let rcode: number = RCODE.NOERROR;
  if (qclass !== CLASS_IN || kind === "r") rcode = RCODE.REFUSED;
  else if (kind === "f") rcode = RCODE.SERVFAIL;
  else if (kind === "x") rcode = RCODE.NXDOMAIN;
  else if (kind !== "n" && (type === KINDS[kind] || type === TYPE.ANY)) {
    const add4 = (data: number[]) => add(0, POINTER_TO_NAME, TYPE.A, data);
    switch (kind) {
      case "a":
        add4(address(0));
        break;
      case "q":
        add(0, POINTER_TO_NAME, TYPE.AAAA, [0, 1, 2, 3].flatMap(address));
        break;
      case "m":
        for (let n = 0; n < MANY; n++) add4(address(n));
        break;
      case "w": {
        const number = (world.given.get(name) ?? 0) + 1;
        world.given.set(name, number);
        for (let n = 0; n < WHOLE; n++) add4(Array(4).fill(number & 255));
        break;
      }
      case "c": {
        const [one, two] = ["one", "two"].map((label) => [...wireName(`${label}.alias.example`)]);
        add(0, POINTER_TO_NAME, TYPE.CNAME, one!);
        add(0, one!, TYPE.CNAME, two!);
        add(0, two!, TYPE.A, address(0));
        break;
      }
      case "t": {
        const text = Array.from({ length: TEXT_OCTETS }, (_, n) => 33 + (seed >>> n % 24) % 90);
        const parts: number[] = [];
        while (text.length > 0) {
          const part = text.splice(0, 255);
          parts.push(part.length, ...part);
        }
        add(0, POINTER_TO_NAME, TYPE.TXT, parts);
        break;
      }
      case "s":
        for (let n = 0; n < 3; n++) {
          const target = wireName(`host${seed % 7}${n}.service.example`);
          add(0, POINTER_TO_NAME, TYPE.SRV, [0, n, 0, 100, ...bytes16(8000 + n), ...target]);
        }
        break;
      case "v":
        // alpn="h2", ipv4hint of one address.
        add(0, POINTER_TO_NAME, HTTPS, [
          ...[0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x32, 0, 4, 0, 4],
          ...address(0),
        ]);
        break;
    }
  }
  if (rcode === RCODE.NXDOMAIN || rcode === RCODE.NOERROR && counts[0] === 0) {
    const parent = query[12] === 0 ? [0] : [0xc0, 13 + query[12]!];
    const soa = [0, 0, ...bytes32(1), ...bytes32(60), ...bytes32(60), ...bytes32(60)];
    add(1, parent, TYPE.SOA, [...soa, ...bytes32(ttl)]);
  }
  const authentic = (seed & 1) !== 0 && rcode <= RCODE.NXDOMAIN ? 0x20 : 0;
  const opt = hasOpt
    ? [0, ...bytes16(TYPE.OPT), ...bytes16(1232), 0, 0, query[end + 7]! & 0x80, 0, 0, 0]
    : [];
  return Uint8Array.from([
    ...query.subarray(0, 2),
    ...[0x80 | query[2]! & 1, 0x80 | authentic | query[3]! & 0x10 | rcode],
    ...[0, 1, 0, counts[0]!, 0, counts[1]!, 0, hasOpt ? 1 : 0],
    ...query.subarray(12, end),
    ...records,
    ...opt,
  ]);
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function bytes16(value: number): number[] {
  return [value >>> 8 & 255, value & 255];
}

function bytes32(value: number): number[] {
  return [...bytes16(value >>> 16), ...bytes16(value & 0xffff)];
}
