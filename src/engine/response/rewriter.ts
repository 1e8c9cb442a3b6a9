import { Compressor } from "../../dns/compress.ts";
import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { mayCompressData } from "../../dns/record_layout.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../memory.ts";
import { Response } from "./response.ts";

/** Size of a compression pointer. */
const POINTER_SIZE = 2;

/**
 * Makes smaller messages of responses, in memory of its own that is made when first needed: what it
 * has made is good until the next call.
 */
export class ResponseRewriter {
  readonly #stripped = new Response(new Memory(8));
  #compressor: Compressor | null = null;
  #memory: Memory | null = null;

  /** Points the response at a copy with compressed names, where that is smaller. */
  compress(response: Response, qnameLength: number): void {
    if (!hasNames(response, qnameLength)) return;
    const compressor = this.#compressor ??= new Compressor();
    const memory = this.#memory ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    const usable = compressor.compress(messageOf(response), response.ttlCount, memory.bytes);
    if (usable && compressor.length < response.length) finish(response, compressor, memory);
  }

  /**
   * The response without the DNSSEC records that its question did not ask for; the response itself
   * where it is malformed.
   */
  withoutDnssec(response: Response): Response {
    const compressor = this.#compressor ??= new Compressor();
    const memory = this.#memory ??= new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
    if (!compressor.strip(messageOf(response), response.ttlCount, memory.bytes)) return response;
    this.#stripped.assign(response);
    finish(this.#stripped, compressor, memory);
    return this.#stripped;
  }
}

/** Whether any name is more than a pointer to the question's, so that compressing may pay. */
function hasNames(response: Response, qnameLength: number): boolean {
  const { view } = response.memory;
  let end = HEADER_SIZE + qnameLength + 4;
  for (let i = 0, at = response.ttlsAt; i < response.ttlCount; i++, at += 2) {
    const ttlAt = view.getUint16(at, true);
    const type = view.getUint16(response.offset + ttlAt - 4);
    const size = view.getUint16(response.offset + ttlAt + 4);
    if (ttlAt - 4 - end > POINTER_SIZE) return true;
    if (size > POINTER_SIZE && mayCompressData(type)) return true;
    end = ttlAt + 6 + size;
  }
  return false;
}

function messageOf({ memory, offset, length }: Response): Uint8Array {
  return memory.bytes.subarray(offset, offset + length);
}

/** Points the response at what has been written at the beginning of `memory`. */
function finish(response: Response, written: Compressor, memory: Memory): void {
  const { length, ttlCount, ttls } = written;
  response.memory = memory;
  response.offset = 0;
  response.length = length;
  response.ttlsAt = (length + 1) & ~1;
  response.ttlCount = ttlCount;
  for (let i = 0; i < ttlCount; i++) {
    memory.view.setUint16(response.ttlsAt + 2 * i, ttls[i]!, true);
  }
}
