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
import { NO_SCOPE, type Response } from "../../engine/response/response.ts";
import { findOption } from "./edns_option.ts";
import type { Inquiry } from "./inquiry.ts";
import type { ScanTime } from "./scan_time.ts";

/** Size of an Extended DNS Error's code (RFC 8914 section 2). */
const ERROR_CODE_SIZE = 2;

/** A server's message that answers a query, checked and described by `scanner`. */
export class Reply {
  readonly scanner = new ResponseScanner();
  readonly #scanTime: ScanTime;
  memory = new Memory(0);
  /** Octets of it in `memory`. */
  size = 0;
  /** Offset of its OPT record, or -1. `describe` writes over that record. */
  optAt = -1;
  /** The query that it answers carried the client's subnet. */
  subnetSent = false;

  constructor(scanTime: ScanTime) {
    this.#scanTime = scanTime;
  }

  /**
   * Reads the message of `length` octets at the start of `memory`; one without a question gets
   * that of `inquiry`.
   *
   * @returns false for a message that must not be used
   */
  read(memory: Memory, length: number, inquiry: Inquiry): boolean {
    const { scanner } = this;
    const size = memory.view.getUint16(4) === 0 ? addQuestion(memory, length, inquiry) : length;
    this.memory = memory;
    this.size = size;
    if (size > MAX_MESSAGE_SIZE) return false;
    if (!this.#scanTime.scan(scanner, memory, size)) return false;
    // The scanner leaves OPT out, which stands behind the records that it keeps.
    this.optAt = scanner.edns ? scanner.length : -1;
    return true;
  }

  /** The whole response code, with the upper bits that OPT carries. */
  get rcode(): number {
    return this.scanner.rcode | (this.scanner.extendedRcode << 4);
  }

  /** Makes a response for clients of it (`describeReply`), with its extended error. */
  describe(response: Response): void {
    // First, because the table of TTLs will lie where OPT does.
    response.extendedError = this.readError(response.errorText);
    describeReply(response, this.scanner, this.memory);
  }

  /** First Extended DNS Error (RFC 8914), or -1; writes its text into `text`. */
  readError(text: ErrorText): number {
    const { memory, optAt } = this;
    const at = optAt < 0 ? -1 : findOption(memory, optAt, EDNS_OPTION.EXTENDED_ERROR);
    const size = at < 0 ? 0 : memory.view.getUint16(at - 2);
    text.length = 0;
    if (size < ERROR_CODE_SIZE) return -1;
    text.set(memory.bytes, at + ERROR_CODE_SIZE, size - ERROR_CODE_SIZE);
    return memory.view.getUint16(at);
  }

  /**
   * Scope of the client subnet (RFC 7871 section 6); 0, for all clients, if the reply has none;
   * `NO_SCOPE.KNOWN`, whatever the reply says, where the query carried no subnet.
   */
  get subnetScope(): number {
    if (!this.subnetSent) return NO_SCOPE.KNOWN;
    const at = this.#subnetAt;
    if (at < 0 || this.memory.view.getUint16(at - 2) < SUBNET.ADDRESS) return 0;
    const { bytes } = this.memory;
    return Math.min(bytes[at + SUBNET.SCOPE]!, Math.max(0, longestPrefix(familyAt(bytes, at))));
  }

  /**
   * Whether it is for the subnet of the inquiry, which it was asked with: family, source and as much
   * of the address as the source takes must come back (RFC 7871 section 7.3). A server that knows no
   * subnets sends none. One that was told none of the address may say what it went by.
   */
  isForSubnet({ memory: asked, subnetAt }: Inquiry): boolean {
    const at = this.#subnetAt;
    if (at < 0) return true;
    const { bytes, view } = this.memory;
    const source = asked.bytes[subnetAt + SUBNET.SOURCE]!;
    return view.getUint16(at - 2) >= subnetSize(source) && bytes[at + SUBNET.SOURCE] === source &&
      (source === 0 || sameNetwork(bytes, at, asked.bytes, subnetAt, source));
  }

  get #subnetAt(): number {
    return this.optAt < 0 ? -1 : findOption(this.memory, this.optAt, EDNS_OPTION.CLIENT_SUBNET);
  }
}

/**
 * Makes a response of the message at the start of `memory` that `scanner` has just been over. Written
 * over: OPT and what follows.
 */
export function describeReply(
  response: Response,
  scanner: ResponseScanner,
  memory: Memory,
): void {
  const { view } = memory;
  const table = (scanner.length + 1) & ~1;
  for (let i = 0; i < scanner.ttlCount; i++) {
    view.setUint16(table + 2 * i, scanner.ttls[i]!, true);
  }
  // OPT and what followed it are gone, and what a truncated message has no room for.
  const answers = Math.min(view.getUint16(6), scanner.ttlCount);
  const authorities = Math.min(view.getUint16(8), scanner.ttlCount - answers);
  view.setUint16(6, answers);
  view.setUint16(8, authorities);
  view.setUint16(10, scanner.ttlCount - answers - authorities);
  response.memory = memory;
  response.offset = 0;
  response.length = scanner.length;
  response.ttlsAt = table;
  response.ttlCount = scanner.ttlCount;
  response.ttlSeconds = -1;
  response.extendedRcode = scanner.extendedRcode;
  response.cached = false;
  response.kind = scanner.kind;
  response.minTtlSeconds = scanner.minTtlSeconds;
}

/** A copy of a message with room behind for what `Reply.describe` writes. */
export function copyMessage(from: Memory, length: number): Memory {
  // A record has at least eleven octets.
  const records = Math.min(MAX_RECORDS, Math.ceil(length / 11));
  const copy = new Memory(length + 2 * records + 2 + QUESTION_ROOM);
  copy.bytes.set(from.bytes.subarray(0, length));
  return copy;
}
/** A header alone grows by its question. */
const QUESTION_ROOM = 255 + 4;

/** Puts the question into a reply that came without; returns the new length in octets. */
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

/** Whether a response says that the name exists but has nothing of the type asked for. */
export function isNodata(kind: number, answerCount: number, rcode: number): boolean {
  return kind === KIND.NODATA || (rcode === RCODE.NOERROR && answerCount === 0);
}
