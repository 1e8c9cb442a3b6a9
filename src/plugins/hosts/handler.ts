import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange.ts";
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
import { ZoneTable } from "../../engine/zones.ts";
import { HostsLookup, NAMES, V4, V6 } from "./lookup.ts";
import type { HostsOptions } from "./options.ts";
import { buildHostsTable } from "./table.ts";

/** Makes the handler of one `hosts` directive. */
export const createHosts: CreateHandler<HostsOptions> = (options, { engine }) =>
  new HostsHandler(options, engine);

/** Answers from a hosts file, which the control plane hands over, and from the Corefile's entries. */
class HostsHandler implements Handler {
  readonly name = "hosts";
  readonly #options: HostsOptions;
  readonly #engine: EngineServices;
  readonly #zones: ZoneTable<true>;
  readonly #fallthrough: ZoneTable<true>;
  /** Index of the gauge of entries. */
  readonly #entries: number;
  readonly #inline: HostsLookup;
  /** The file's entries; as good as none until the control plane has read it. */
  #file: HostsLookup;

  /** The qname in lower case, and the wildcard that stands for its first label. */
  readonly #name = new Uint8Array(256);
  #nameLength = 0;
  readonly #wildcard = new Uint8Array(256);
  #wildcardLength = 0;

  constructor(options: HostsOptions, engine: EngineServices) {
    this.#options = options;
    this.#engine = engine;
    const { zones, autoReverse, inline } = options;
    this.#zones = new ZoneTable(zones.map((zone) => [zone, true]));
    this.#fallthrough = new ZoneTable((options.fallthrough ?? []).map((zone) => [zone, true]));
    this.#entries = engine.counter("coredns_hosts_entries", { hostsfile: options.path });
    const key = HashKey.draw(engine.random);
    const tableOf = (text: string) => buildHostsTable({ text, zones, autoReverse }, key);
    this.#inline = new HostsLookup(tableOf(inline.join("\n")));
    this.#file = new HostsLookup(tableOf(""));
    engine.values[this.#entries] = this.#inline.items;
  }

  receive(data: unknown): void {
    const { table } = data as { table: ArrayBuffer };
    this.#file = new HostsLookup(table);
    this.#engine.values[this.#entries] = this.#inline.items + this.#file.items;
  }

  query(exchange: Exchange): Verdict {
    const { qtype, qclass } = exchange;
    if (qclass !== CLASS.IN) return NEXT;
    // Reverse zones need not be listed.
    if (qtype !== TYPE.PTR && this.#zones.match(exchange) === null) return NEXT;
    this.#readName(exchange);
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
    const name = this.#name;
    const file = this.#file.find(name, this.#nameLength);
    const inline = this.#inline.find(name, this.#nameLength);
    // What is not here is somebody else's, whatever fallthrough says.
    if (this.#file.count(file, NAMES) + this.#inline.count(inline, NAMES) === 0) return NEXT;
    this.#engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    this.#writeNames(this.#file, file);
    this.#writeNames(this.#inline, inline);
    exchange.response = this.#engine.writer.end();
    return ANSWERED;
  }

  #forward(exchange: Exchange, kind: typeof V4 | typeof V6): Verdict {
    const file = this.#find(this.#file, kind);
    const inline = this.#find(this.#inline, kind);
    if (file === 0 && inline === 0) return this.#deny(exchange);
    this.#engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    this.#writeAddresses(this.#file, file, kind);
    this.#writeAddresses(this.#inline, inline, kind);
    exchange.response = this.#engine.writer.end();
    return ANSWERED;
  }

  /** Says that there is no such data, for a name with any address; other names may fall through. */
  #deny(exchange: Exchange): Verdict {
    if (this.#exists(this.#file) || this.#exists(this.#inline)) {
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

  #exists(lookup: HostsLookup): boolean {
    return this.#find(lookup, V4) !== 0 || this.#find(lookup, V6) !== 0;
  }

  /** The entry with addresses of this kind: the name's own, else that of the wildcard; 0 for none. */
  #find(lookup: HostsLookup, kind: typeof V4 | typeof V6): number {
    const own = lookup.find(this.#name, this.#nameLength);
    if (lookup.count(own, kind) > 0) return own;
    if (this.#wildcardLength === 0) return 0;
    const wildcard = lookup.find(this.#wildcard, this.#wildcardLength);
    return lookup.count(wildcard, kind) > 0 ? wildcard : 0;
  }

  #readName(exchange: Exchange): void {
    const { bytes } = exchange.memory;
    const at = exchange.offset + HEADER_SIZE;
    const name = this.#name;
    const length = exchange.qnameLength;
    copyFolded(bytes, at, name, 0, length);
    this.#nameLength = length;
    this.#wildcardLength = 0;
    // Above a single label there is only the root, and `*` alone stands for nothing.
    if (exchange.labelCount < 2) return;
    const wildcard = this.#wildcard;
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    let to = 2;
    for (let from = name[0]! + 1; from < length; from++) wildcard[to++] = name[from]!;
    this.#wildcardLength = to;
  }

  #writeAddresses(lookup: HostsLookup, entry: number, kind: typeof V4 | typeof V6): void {
    if (entry === 0) return;
    const { writer } = this.#engine;
    const type = kind === V4 ? TYPE.A : TYPE.AAAA;
    const size = kind === V4 ? 4 : 16;
    let at = lookup.dataAt(entry, kind);
    for (let left = lookup.count(entry, kind); left > 0; left--, at += size) {
      writer.record("answer", null, type, CLASS.IN, this.#options.ttlSeconds)
        .raw(lookup.bytes, at, size);
    }
  }

  #writeNames(lookup: HostsLookup, entry: number): void {
    if (entry === 0) return;
    const { writer } = this.#engine;
    const { bytes } = lookup;
    let at = lookup.dataAt(entry, NAMES);
    for (let left = lookup.count(entry, NAMES); left > 0; left--) {
      let end = at;
      while (bytes[end] !== 0) end += bytes[end]! + 1;
      end++;
      writer.record("answer", null, TYPE.PTR, CLASS.IN, this.#options.ttlSeconds)
        .raw(bytes, at, end - at);
      at = end;
    }
  }
}
