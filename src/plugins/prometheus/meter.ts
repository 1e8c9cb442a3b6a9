import { OPT_SIZE } from "../../dns/constants.ts";
import { rcodeText, typeText } from "../../dns/mnemonics.ts";
import { bucketOf, SIZE_BUCKETS, TIME_BUCKETS } from "../../engine/buckets.ts";
import { type Exchange, TCP, UDP } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { KernelAnswers } from "../../engine/kernel/kernel_hits.ts";

/** CoreDNS's choice; other types are "other". */
const TYPES = [1, 28, 5, 48, 43, 15, 50, 47, 2, 12, 46, 6, 33, 16, 65, 64, 251, 252, 255] as const;
const OTHER_TYPE = TYPES.length;
const TYPE_CLASSES = TYPES.length + 1;
const CLASS_OF_TYPE = new Uint8Array(256).fill(OTHER_TYPE);
TYPES.forEach((type, i) => CLASS_OF_TYPE[type] = i);

/** Extended codes are "other". */
const RCODES = 24;
const RCODE_CLASSES = RCODES + 1;

/** Counts a zone's queries; unused counters are not exported. */
export class Meter {
  readonly #engine: EngineServices;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #plugins: readonly string[];
  // Counter indices; 0 for none.
  /** By transport, family and class of type. */
  readonly #requests = new Int32Array(2 * 2 * TYPE_CLASSES);
  /** By plugin (the engine first) and response code. */
  readonly #responses: Int32Array;
  readonly #requestSizes = new Int32Array(2);
  readonly #responseSizes = new Int32Array(2);
  readonly #duration: number;
  readonly #dnssecOk: number;

  /** `plugins`: handlers by position. */
  constructor(engine: EngineServices, labels: Record<string, string>, plugins: readonly string[]) {
    this.#engine = engine;
    this.#labels = labels;
    this.#plugins = plugins;
    this.#responses = new Int32Array((plugins.length + 1) * RCODE_CLASSES);
    const all = { ...labels };
    this.#duration = engine.histogram("coredns_dns_request_duration_seconds", all, TIME_BUCKETS);
    this.#dnssecOk = engine.counter("coredns_dns_do_requests_total", all);
  }

  /** `sizeBytes` is 0 without an answer. */
  count(exchange: Exchange, sizeBytes: number): void {
    const engine = this.#engine;
    const { values } = engine;
    const { transport, qtype, response } = exchange;

    const type = exchange.qnameLength > 0 && qtype < 256 ? CLASS_OF_TYPE[qtype]! : OTHER_TYPE;
    const family = engine.clientFamily(exchange) === 6 ? 1 : 0;
    const kind = ((transport << 1) | family) * TYPE_CLASSES + type;
    values[this.#requests[kind]! || this.#makeRequests(kind)]!++;
    if (exchange.dnssecOk) values[this.#dnssecOk]!++;

    const seconds = (engine.nowMs - exchange.receivedMs) / 1000;
    values[this.#duration + bucketOf(TIME_BUCKETS, seconds)]!++;
    if (seconds > 0) values[this.#duration + TIME_BUCKETS.length + 1]! += seconds;

    const request = this.#requestSizes[transport]! || this.#makeSizes("request", transport);
    values[request + bucketOf(SIZE_BUCKETS, exchange.length)]!++;
    values[request + SIZE_BUCKETS.length + 1]! += exchange.length;
    const sent = this.#responseSizes[transport]! || this.#makeSizes("response", transport);
    values[sent + bucketOf(SIZE_BUCKETS, sizeBytes)]!++;
    values[sent + SIZE_BUCKETS.length + 1]! += sizeBytes;

    const rcode = response === null ? 0 : response.rcode;
    // As in CoreDNS, failures have no plugin.
    const position = exchange.error === "" ? exchange.answeredBy + 1 : 0;
    const key = position * RCODE_CLASSES + (rcode < RCODES ? rcode : RCODES);
    values[this.#responses[key]! || this.#makeResponses(key)]!++;
  }

  /** Answers of the cache at `position`, given by a program in the kernel: UDP, in no time. */
  countMany(answers: KernelAnswers, position: number): void {
    const { values } = this.#engine;
    const { family, qtype, count, edns, querySize, answerSize, rcode } = answers;
    const type = qtype < 256 ? CLASS_OF_TYPE[qtype]! : OTHER_TYPE;
    const kind = (family === 6 ? TYPE_CLASSES : 0) + type;
    values[this.#requests[kind]! || this.#makeRequests(kind)]! += count;
    if (answers.dnssecOk) values[this.#dnssecOk]! += count;
    values[this.#duration + bucketOf(TIME_BUCKETS, 0)]! += count;
    const request = this.#requestSizes[UDP]! || this.#makeSizes("request", UDP);
    const sent = this.#responseSizes[UDP]! || this.#makeSizes("response", UDP);
    for (const [start, size] of [[request, querySize], [sent, answerSize]] as const) {
      values[start + bucketOf(SIZE_BUCKETS, size)]! += count - edns;
      values[start + bucketOf(SIZE_BUCKETS, size + OPT_SIZE)]! += edns;
      values[start + SIZE_BUCKETS.length + 1]! += count * size + edns * OPT_SIZE;
    }
    const key = (position + 1) * RCODE_CLASSES + rcode;
    values[this.#responses[key]! || this.#makeResponses(key)]! += count;
  }

  #makeRequests(kind: number): number {
    const type = kind % TYPE_CLASSES;
    const rest = (kind - type) / TYPE_CLASSES;
    return this.#requests[kind] = this.#engine.counter("coredns_dns_requests_total", {
      ...this.#labels,
      proto: protoOf(rest >> 1),
      family: (rest & 1) === 0 ? "1" : "2",
      type: type === OTHER_TYPE ? "other" : typeText(TYPES[type]!),
    });
  }

  #makeSizes(of: "request" | "response", transport: number): number {
    const labels = { ...this.#labels, proto: protoOf(transport) };
    const sizes = of === "request" ? this.#requestSizes : this.#responseSizes;
    const name = `coredns_dns_${of}_size_bytes`;
    return sizes[transport] = this.#engine.histogram(name, labels, SIZE_BUCKETS);
  }

  #makeResponses(key: number): number {
    const rcode = key % RCODE_CLASSES;
    const position = (key - rcode) / RCODE_CLASSES - 1;
    return this.#responses[key] = this.#engine.counter("coredns_dns_responses_total", {
      ...this.#labels,
      rcode: rcode === RCODES ? "other" : rcodeText(rcode),
      plugin: this.#plugins[position] ?? "",
    });
  }
}

function protoOf(transport: number): string {
  return transport === TCP ? "tcp" : "udp";
}
