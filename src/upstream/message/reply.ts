import {
  familyAt,
  longestPrefix,
  sameNetwork,
  SUBNET,
  subnetSize,
} from "../../dns/client_subnet.ts";
import { EDNS_OPTION, HEADER_SIZE, MAX_MESSAGE_SIZE, RCODE } from "../../dns/constants.ts";
import type { ErrorText } from "../../dns/error_text.ts";
import { KIND, MAX_RECORDS, ResponseScanner } from "../../dns/response_scan.ts";
import { Memory } from "../../engine/memory.ts";
import { cutCounts } from "../../engine/response/cut.ts";
import { NO_SCOPE, type Response } from "../../engine/response/response.ts";
import { bucketOf } from "../../engine/buckets.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { findOption, type Inquiry, SUBNET_AT } from "./inquiry.ts";

const ERROR_CODE_SIZE = 2;

/** For a header without question. */
const QUESTION_ROOM = 255 + 4;
/** Beyond the longest message's cost. */
const SCAN_BUCKETS: readonly number[] = [1e-6, 4e-6, 16e-6, 64e-6, 256e-6, 1e-3, 4e-3, 16e-3];

/** Checked and described by `scanner`. */
export class Reply {
  readonly scanner = new ResponseScanner();
  readonly #engine: EngineServices;
  readonly #scanTimes: number;
  memory = new Memory(0);
  size = 0;
  /** -1: none. `describe` overwrites it. */
  optAt = -1;
  subnetSent = false;

  constructor(engine: EngineServices, labels: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#scanTimes = engine.histogram("nodens_forward_reply_scan_seconds", labels, SCAN_BUCKETS);
  }

  /** Inserts a missing question; false if unusable. */
  read(memory: Memory, length: number, inquiry: Inquiry): boolean {
    const { scanner } = this;
    const size = memory.view.getUint16(4) === 0 ? addQuestion(memory, length, inquiry) : length;
    this.memory = memory;
    this.size = size;
    if (size > MAX_MESSAGE_SIZE) return false;
    if (!this.#scan(size)) return false;
    // OPT follows the records.
    this.optAt = scanner.edns ? scanner.length : -1;
    return true;
  }

  #scan(size: number): boolean {
    const { values, io } = this.#engine;
    const startNs = io.nanoseconds?.() ?? 0;
    const usable = this.scanner.scan(this.memory.bytes, this.memory.view, 0, size);
    // Unsigned: the clock wraps.
    const seconds = (((io.nanoseconds?.() ?? 0) - startNs) >>> 0) / 1e9;
    values[this.#scanTimes + bucketOf(SCAN_BUCKETS, seconds)]!++;
    values[this.#scanTimes + SCAN_BUCKETS.length + 1]! += seconds;
    return usable;
  }

  get rcode(): number {
    return this.scanner.rcode | (this.scanner.extendedRcode << 4);
  }

  describe(response: Response): void {
    // The table of TTLs overwrites OPT.
    response.extendedError = this.readError(response.errorText);
    describeReply(response, this.scanner, this.memory);
  }

  /** RFC 8914; -1 for none. Sets `text`. */
  readError(text: ErrorText): number {
    const { memory, optAt } = this;
    const at = findOption(memory, optAt, EDNS_OPTION.EXTENDED_ERROR);
    const size = at < 0 ? 0 : memory.view.getUint16(at - 2);
    text.length = 0;
    if (size < ERROR_CODE_SIZE) return -1;
    text.set(memory.bytes, at + ERROR_CODE_SIZE, size - ERROR_CODE_SIZE);
    return memory.view.getUint16(at);
  }

  /** RFC 7871 section 6; 0 if absent. */
  get subnetScope(): number {
    if (!this.subnetSent) return NO_SCOPE.KNOWN;
    const at = this.#subnetAt;
    if (at < 0 || this.memory.view.getUint16(at - 2) < SUBNET.ADDRESS) return 0;
    const { bytes } = this.memory;
    return Math.min(bytes[at + SUBNET.SCOPE]!, Math.max(0, longestPrefix(familyAt(bytes, at))));
  }

  /**
   * RFC 7871 section 7.3. Servers that ignore subnets send none; to source prefix 0 they may send
   * their own.
   */
  isForSubnet({ memory: asked }: Inquiry): boolean {
    const at = this.#subnetAt;
    if (at < 0) return true;
    const { bytes, view } = this.memory;
    const source = asked.bytes[SUBNET_AT + SUBNET.SOURCE]!;
    return view.getUint16(at - 2) >= subnetSize(source) && bytes[at + SUBNET.SOURCE] === source &&
      (source === 0 || sameNetwork(bytes, at, asked.bytes, SUBNET_AT, source));
  }

  get #subnetAt(): number {
    return findOption(this.memory, this.optAt, EDNS_OPTION.CLIENT_SUBNET);
  }
}

/** Overwrites OPT and beyond. */
export function describeReply(response: Response, scanner: ResponseScanner, memory: Memory): void {
  response.point(memory, scanner);
  cutCounts(memory.view, 0, scanner.ttlCount);
  response.ttlSeconds = -1;
  response.extendedRcode = scanner.extendedRcode;
  response.cached = false;
  response.ageSeconds = -1;
  response.kind = scanner.kind;
  response.minTtlSeconds = scanner.minTtlSeconds;
}

/** With room for `Reply.describe`. */
export function copyMessage(from: Memory, length: number): Memory {
  // Records have at least eleven octets.
  const records = Math.min(MAX_RECORDS, Math.ceil(length / 11));
  const copy = new Memory(length + 2 * records + 2 + QUESTION_ROOM);
  copy.bytes.set(from.bytes.subarray(0, length));
  return copy;
}

function addQuestion(
  memory: Memory,
  length: number,
  { questionLength, memory: own }: Inquiry,
): number {
  memory.view.setUint16(4, 1);
  memory.bytes.copyWithin(HEADER_SIZE + questionLength, HEADER_SIZE, length);
  for (let i = 0; i < questionLength; i++) {
    memory.bytes[HEADER_SIZE + i] = own.bytes[HEADER_SIZE + i]!;
  }
  return length + questionLength;
}

/** The name exists without the type. */
export function isNodata(kind: number, answerCount: number, rcode: number): boolean {
  return kind === KIND.NODATA || (rcode === RCODE.NOERROR && answerCount === 0);
}
