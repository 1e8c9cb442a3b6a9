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
import { upperMask } from "../../engine/hash.ts";
import { ZoneTable } from "../../engine/zones.ts";
import { HostsLookup, type HostsRecord } from "./lookup.ts";
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
  readonly #inline: HostsLookup;
  readonly #name = new Uint8Array(256);
  #file: HostsLookup | null = null;

  constructor(options: HostsOptions, engine: EngineServices) {
    this.#options = options;
    this.#engine = engine;
    const { zones, autoReverse } = options;
    this.#zones = new ZoneTable(zones.map((zone) => [zone, true]));
    this.#fallthrough = new ZoneTable((options.fallthrough ?? []).map((zone) => [zone, true]));
    this.#inline = new HostsLookup(
      buildHostsTable({ text: options.inline.join("\n"), zones, autoReverse }),
    );
  }

  receive(data: unknown): void {
    const { table } = data as { table: ArrayBuffer };
    this.#file = new HostsLookup(table);
  }

  query(exchange: Exchange): Verdict {
    const { qtype } = exchange;
    if (this.#zones.match(exchange) === null && qtype !== TYPE.PTR) return NEXT;
    const length = this.#lowerName(exchange);
    const file = this.#find(this.#file, length);
    const inline = this.#find(this.#inline, length);
    const writer = this.#engine.writer;
    const { ttlSeconds } = this.#options;
    if (qtype === TYPE.PTR) {
      if ((file?.nameCount ?? 0) + (inline?.nameCount ?? 0) === 0) return NEXT;
      writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
      this.#writeNames(this.#file, file);
      this.#writeNames(this.#inline, inline);
      exchange.response = writer.end();
      return ANSWERED;
    }
    const exists = hasAddress(file) || hasAddress(inline);
    const passes = this.#fallthrough.match(exchange) !== null;
    if (!exists) {
      if (passes) return NEXT;
      // A hosts file has no SOA to deny a name with; CoreDNS answers SERVFAIL, and so clients expect.
      exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
      return ANSWERED;
    }
    const supported = qtype === TYPE.A || qtype === TYPE.AAAA;
    if (!supported && this.#options.fallthroughUnsupported && passes) return NEXT;
    writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    if (supported) {
      for (const [lookup, record] of [[this.#file, file], [this.#inline, inline]] as const) {
        if (lookup === null || record === null) continue;
        const v4 = qtype === TYPE.A;
        const size = v4 ? 4 : 16;
        const count = v4 ? record.v4Count : record.v6Count;
        const at = v4 ? record.v4At : record.v6At;
        for (let i = 0; i < count; i++) {
          writer.record("answer", null, qtype, CLASS.IN, ttlSeconds)
            .raw(lookup.bytes, at + i * size, size);
        }
      }
    }
    exchange.response = writer.end();
    return ANSWERED;
  }

  #lowerName(exchange: Exchange): number {
    const { bytes } = exchange.memory;
    const at = exchange.offset + HEADER_SIZE;
    for (let i = 0; i < exchange.qnameLength; i++) {
      const octet = bytes[at + i]!;
      this.#name[i] = octet | upperMask(octet);
    }
    return exchange.qnameLength;
  }

  /** The name's own record, or that of the wildcard which stands for its first label. */
  #find(lookup: HostsLookup | null, length: number): HostsRecord | null {
    if (lookup === null) return null;
    const found = lookup.find(this.#name, 0, length);
    if (found !== null) return found;
    const first = this.#name[0]!;
    if (first === 0) return null;
    const wildcard = new Uint8Array(length - first + 1);
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    wildcard.set(this.#name.subarray(first + 1, length), 2);
    return lookup.find(wildcard, 0, wildcard.length);
  }

  #writeNames(lookup: HostsLookup | null, record: HostsRecord | null): void {
    if (lookup === null || record === null) return;
    const { bytes } = lookup;
    let at = record.namesAt;
    for (let i = 0; i < record.nameCount; i++) {
      let end = at;
      while (bytes[end] !== 0) end += bytes[end]! + 1;
      end++;
      this.#engine.writer
        .record("answer", null, TYPE.PTR, CLASS.IN, this.#options.ttlSeconds)
        .raw(bytes, at, end - at);
      at = end;
    }
  }
}

function hasAddress(record: HostsRecord | null): boolean {
  return record !== null && record.v4Count + record.v6Count > 0;
}
