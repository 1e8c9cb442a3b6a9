import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";
import { copyFolded } from "../../engine/question/fold.ts";
import { HashKey } from "../../engine/question/keyed_hash.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { explainHosts } from "./explain.ts";
import { itemSize, NAMES, V4, V6 } from "./layout.ts";
import { buildHostsTable } from "./lines.ts";
import { HostsLookup } from "./lookup.ts";
import { hasSameTable, type HostsOptions } from "./options.ts";
import { RetiredTables } from "./retired.ts";

/** Names added to the file are soon found. */
const MAX_DENIAL_SECONDS = 60;
/** Mailbox of zones that nobody maintains (RFC 6303 section 3), and refresh, retry, expire. */
const MAILBOX = parseName("nobody.invalid.");
const TIMES = [3600, 1200, 604_800];

/** Only listed names exist. */
interface Authority {
  /** In lower-case wire form. */
  readonly name: Uint8Array;
  /** SOA data. */
  readonly soa: Uint8Array;
  readonly ttlSeconds: number;
}

/** Creates a `hosts` handler. */
export const createHosts: CreateHandler<HostsOptions> = (options, environment) =>
  new HostsHandler(options, environment);

/** Answers from a hosts file and the Corefile. */
class HostsHandler implements Handler {
  readonly name = "hosts";
  readonly #options: HostsOptions;
  readonly #engine: EngineServices;
  readonly #zones: ZoneTable<true>;
  /** For unlisted names. */
  readonly #unlisted: ZoneTable<Authority | "pass">;
  readonly #entries: number;
  #lookup: HostsLookup;
  #tableInherited = false;
  readonly #retired: RetiredTables;

  readonly #name = new Uint8Array(256);
  readonly #wildcard = new Uint8Array(256);
  #own = 0;
  #wild = 0;
  readonly #data = new Uint8Array(256);

  constructor(options: HostsOptions, { engine, previous }: HandlerEnvironment) {
    this.#options = options;
    this.#engine = engine;
    this.#retired = new RetiredTables(engine.timers);
    this.#zones = new ZoneTable(options.zones.map((zone) => [zone, true]));
    this.#unlisted = new ZoneTable<Authority | "pass">([
      ...(options.fallthrough ?? []).map((zone) => [zone, "pass"] as const),
      ...options.authoritative.map((zone) =>
        [zone, createAuthority(zone, options.ttlSeconds)] as const
      ),
    ]);
    this.#entries = engine.counter("coredns_hosts_entries", { hostsfile: options.path });
    if (previous instanceof HostsHandler && hasSameTable(previous.#options, options)) {
      previous.#tableInherited = true;
      this.#lookup = previous.#lookup;
    } else {
      const { zones, authoritative, autoReverse, inline } = options;
      const key = HashKey.draw(engine.random);
      this.#lookup = new HostsLookup(
        buildHostsTable(inline.join("\n"), { zones, authoritative, autoReverse, key }),
      );
    }
    engine.values[this.#entries] = this.#lookup.items;
  }

  /** The file's entries, then the Corefile's. */
  receive(table: unknown): void {
    this.#retired.add(this.#lookup.table, this.#engine.nowMs);
    this.#lookup = new HostsLookup(table as ArrayBuffer);
    this.#engine.values[this.#entries] = this.#lookup.items;
  }

  stop(): void {
    if (!this.#tableInherited) this.#retired.add(this.#lookup.table, this.#engine.nowMs);
  }

  query(exchange: Exchange): Verdict {
    const { qtype, qclass } = exchange;
    if (qclass !== CLASS.IN) return NEXT;
    if (qtype !== TYPE.PTR && this.#zones.match(exchange) === null) return NEXT;
    this.#find(exchange);
    switch (qtype) {
      case TYPE.PTR:
        return this.#reverse(exchange);
      case TYPE.A:
        return this.#forward(exchange, V4);
      case TYPE.AAAA:
        return this.#forward(exchange, V6);
      default:
        if (this.#options.fallthroughUnsupported && this.#unlisted.match(exchange) === "pass") {
          return NEXT;
        }
        return this.#deny(exchange);
    }
  }

  explain(exchange: Exchange): Explanation {
    const { qtype, qclass } = exchange;
    const inZones = qclass === CLASS.IN &&
      (qtype === TYPE.PTR || this.#zones.match(exchange) !== null);
    const verdict = this.query(exchange);
    const listed = this.#first(V4) !== 0 || this.#first(V6) !== 0;
    return explainHosts(exchange, verdict, { options: this.#options, inZones, listed });
  }

  #reverse(exchange: Exchange): Verdict {
    const lookup = this.#lookup;
    const first = lookup.first(this.#own, NAMES);
    if (first === 0) {
      const unlisted = this.#unlisted.match(exchange);
      const passes = unlisted === null || unlisted === "pass";
      return passes ? NEXT : this.#denyIn(unlisted, exchange);
    }
    const { writer } = this.#engine;
    writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    for (let item = first; item !== 0; item = lookup.next(item)) {
      this.#write(TYPE.PTR, lookup.copyName(item, this.#data));
    }
    exchange.response = writer.end();
    return ANSWERED;
  }

  #forward(exchange: Exchange, kind: typeof V4 | typeof V6): Verdict {
    const lookup = this.#lookup;
    const first = this.#first(kind);
    if (first === 0) return this.#deny(exchange);
    const { writer } = this.#engine;
    const size = itemSize(kind);
    writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    for (let item = first; item !== 0; item = lookup.next(item)) {
      lookup.copyAddress(item, size, this.#data);
      this.#write(kind === V4 ? TYPE.A : TYPE.AAAA, size);
    }
    exchange.response = writer.end();
    return ANSWERED;
  }

  /** NODATA for a listed name; others are denied, fall through or get SERVFAIL. */
  #deny(exchange: Exchange): Verdict {
    const unlisted = this.#unlisted.match(exchange);
    if (unlisted !== null && unlisted !== "pass") return this.#denyIn(unlisted, exchange);
    if (this.#first(V4) !== 0 || this.#first(V6) !== 0) {
      exchange.response = this.#engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA).end();
      return ANSWERED;
    }
    if (unlisted === "pass") return NEXT;
    // A denial needs an SOA record; CoreDNS answers SERVFAIL too.
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  /** The zone's own name also gets the SOA as an answer. */
  #denyIn({ name, soa, ttlSeconds }: Authority, exchange: Exchange): Verdict {
    const isApex = exchange.qnameLength === name.length;
    const exists = isApex || this.#own !== 0 || this.#wild !== 0;
    const { writer } = this.#engine;
    writer.begin(exchange, exists ? RCODE.NOERROR : RCODE.NXDOMAIN, FLAG.AA);
    const section = isApex && exchange.qtype === TYPE.SOA ? "answer" : "authority";
    const owner = isApex ? null : name;
    writer.record(section, owner, TYPE.SOA, CLASS.IN, ttlSeconds).raw(soa, 0, soa.length);
    exchange.response = writer.end();
    return ANSWERED;
  }

  #first(kind: typeof V4 | typeof V6): number {
    return this.#lookup.first(this.#own, kind) || this.#lookup.first(this.#wild, kind);
  }

  #find(exchange: Exchange): void {
    const { bytes } = exchange.memory;
    const lookup = this.#lookup;
    const name = this.#name;
    const length = exchange.qnameLength;
    copyFolded(bytes, exchange.offset + HEADER_SIZE, name, 0, length);
    this.#own = lookup.find(name, length);
    this.#wild = 0;
    // `*` alone matches nothing.
    if (!lookup.hasWildcards || exchange.labelCount < 2) return;
    const start = name[0]! - 1;
    const wildcard = this.#wildcard;
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    for (let i = 2; i < length - start; i++) wildcard[i] = name[start + i]!;
    this.#wild = lookup.find(wildcard, length - start);
  }

  #write(type: number, size: number): void {
    this.#engine.writer.record("answer", null, type, CLASS.IN, this.#options.ttlSeconds)
      .raw(this.#data, 0, size);
  }
}

function createAuthority(zone: string, maxSeconds: number): Authority {
  const name = parseName(zone);
  const ttlSeconds = Math.min(maxSeconds, MAX_DENIAL_SECONDS);
  const numbers = [1, ...TIMES, ttlSeconds].flatMap((n) => [n >>> 24, n >>> 16, n >>> 8, n]);
  return { name, soa: Uint8Array.from([...name, ...MAILBOX, ...numbers]), ttlSeconds };
}
