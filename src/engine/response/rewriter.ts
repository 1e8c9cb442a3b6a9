import { Compressor } from "../../dns/compress.ts";
import { HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { mayCompressData } from "../../dns/record_layout.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../memory.ts";
import { Response } from "./response.ts";

const POINTER_SIZE = 2;

/** Shrinks responses; results are valid until the next call. */
export class ResponseRewriter {
  readonly #stripped = new Response(new Memory(8));
  #tools: { compressor: Compressor; memory: Memory } | null = null;

  /** Points to a compressed copy, if smaller. */
  compress(response: Response, qnameLength: number): void {
    if (!hasNames(response, qnameLength)) return;
    const { compressor, memory } = this.#tools ??= makeTools();
    const usable = compressor.compress(messageOf(response), response.ttlCount, memory.bytes);
    if (usable && compressor.length < response.length) response.point(memory, compressor);
  }

  /** Without unrequested DNSSEC records, unless malformed. */
  withoutDnssec(response: Response): Response {
    const { compressor, memory } = this.#tools ??= makeTools();
    if (!compressor.strip(messageOf(response), response.ttlCount, memory.bytes)) return response;
    Object.assign(this.#stripped, response);
    this.#stripped.point(memory, compressor);
    return this.#stripped;
  }
}

function makeTools() {
  return {
    compressor: new Compressor(),
    memory: new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS),
  };
}

/** Whether a name is more than a pointer. */
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
