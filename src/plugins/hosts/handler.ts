import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import { copyFolded } from "../../engine/question/fold.ts";
import { HashKey } from "../../engine/question/keyed_hash.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { itemSize, NAMES, V4, V6 } from "./layout.ts";
import { HostsLookup } from "./lookup.ts";
import type { HostsOptions } from "./options.ts";
import { RetiredTables } from "./retired.ts";
import { buildHostsTable } from "./table.ts";

/** Makes the handler of one `hosts` directive. */
export const createHosts: CreateHandler<HostsOptions> = (options, { engine, previous }) =>
  new HostsHandler(options, { engine, previous });

/** Answers from a hosts file, which the control plane hands over, and from the Corefile's entries. */
class HostsHandler implements Handler {
  readonly name = "hosts";
  readonly #options: HostsOptions;
  readonly #engine: EngineServices;
  readonly #zones: ZoneTable<true>;
  readonly #fallthrough: ZoneTable<true>;
  /** Index of the gauge of entries. */
  readonly #entries: number;
  /** The Corefile's entries alone until the control plane has read the file. */
  #lookup: HostsLookup;
  /** A handler that took the table over with this one's place (a reload). */
  #successor: HostsHandler | null = null;

  readonly #retired: RetiredTables;

  /** The qname in lower case, and the wildcard that stands for its first label. */
  readonly #name = new Uint8Array(256);
  readonly #wildcard = new Uint8Array(256);
  /** Entries of the two; 0 for none. */
  #own = 0;
  #wild = 0;
  /** An address or name on its way into an answer. */
  readonly #data = new Uint8Array(256);

  constructor(
    options: HostsOptions,
    { engine, previous }: { engine: EngineServices; previous?: Handler | null | undefined },
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#retired = new RetiredTables(engine.timers);
    this.#zones = new ZoneTable(options.zones.map((zone) => [zone, true]));
    this.#fallthrough = new ZoneTable((options.fallthrough ?? []).map((zone) => [zone, true]));
    this.#entries = engine.counter("coredns_hosts_entries", { hostsfile: options.path });
    if (previous instanceof HostsHandler && previous.#hasTableOf(options)) {
      // It is served until the file has been read again, which may fail.
      previous.#successor = this;
      this.#lookup = previous.#lookup;
    } else {
      this.#lookup = new HostsLookup(this.#tableOfInline());
    }
    engine.values[this.#entries] = this.#lookup.items;
  }

  /** Takes over a table (`layout.ts`): the entries of the file, and behind them the Corefile's. */
  receive(table: unknown): void {
    this.#retired.add(this.#lookup.table, this.#engine.nowMs);
    this.#lookup = new HostsLookup(table as ArrayBuffer);
    this.#engine.values[this.#entries] = this.#lookup.items;
  }

  stop(): void {
    if (this.#successor === null) this.#retired.add(this.#lookup.table, this.#engine.nowMs);
  }

  /** Whether other options make the same table of the same file. */
  #hasTableOf({ path, zones, inline, autoReverse }: HostsOptions): boolean {
    const own = this.#options;
    return path === own.path && autoReverse === own.autoReverse &&
      zones.join() === own.zones.join() && inline.join("\n") === own.inline.join("\n");
  }

  #tableOfInline(): ArrayBuffer {
    const { zones, autoReverse, inline } = this.#options;
    const key = HashKey.draw(this.#engine.random);
    return buildHostsTable(inline.join("\n"), { zones, autoReverse, key });
  }

  query(exchange: Exchange): Verdict {
    const { qtype, qclass } = exchange;
    if (qclass !== CLASS.IN) return NEXT;
    // Reverse zones need not be listed.
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
        if (this.#options.fallthroughUnsupported && this.#passes(exchange)) return NEXT;
        return this.#deny(exchange);
    }
  }

  #reverse(exchange: Exchange): Verdict {
    const lookup = this.#lookup;
    const first = lookup.first(this.#own, NAMES);
    // Names that are not here are passed on, whatever fallthrough says.
    if (first === 0) return NEXT;
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

  /** Says that there is no such data, for a name with any address; other names may fall through. */
  #deny(exchange: Exchange): Verdict {
    if (this.#first(V4) !== 0 || this.#first(V6) !== 0) {
      exchange.response = this.#engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA).end();
      return ANSWERED;
    }
    if (this.#passes(exchange)) return NEXT;
    // A hosts file has no SOA to deny a name with; CoreDNS answers SERVFAIL.
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  #passes(exchange: Exchange): boolean {
    return this.#options.fallthrough !== null && this.#fallthrough.match(exchange) !== null;
  }

  /** The first address of this kind: of the name itself, else of its wildcard; 0 for none. */
  #first(kind: typeof V4 | typeof V6): number {
    return this.#lookup.first(this.#own, kind) || this.#lookup.first(this.#wild, kind);
  }

  /** Finds the entries of the qname. */
  #find(exchange: Exchange): void {
    const { bytes } = exchange.memory;
    const lookup = this.#lookup;
    const name = this.#name;
    const length = exchange.qnameLength;
    copyFolded(bytes, exchange.offset + HEADER_SIZE, name, 0, length);
    this.#own = lookup.find(name, length);
    this.#wild = 0;
    // Above a single label there is only the root, and `*` alone stands for nothing.
    if (!lookup.hasWildcards || exchange.labelCount < 2) return;
    // The wildcard ends where the name does.
    const start = name[0]! - 1;
    const wildcard = this.#wildcard;
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    for (let i = 2; i < length - start; i++) wildcard[i] = name[start + i]!;
    this.#wild = lookup.find(wildcard, length - start);
  }

  /** Adds a record with the first `size` bytes of `#data`. */
  #write(type: number, size: number): void {
    this.#engine.writer.record("answer", null, type, CLASS.IN, this.#options.ttlSeconds)
      .raw(this.#data, 0, size);
  }
}
