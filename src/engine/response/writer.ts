import { FLAG, HEADER_SIZE, MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../memory.ts";
import type { Question } from "../question/question.ts";
import { Response } from "./response.ts";

/** RFC 1035 section 4.1.4. */
const QNAME_POINTER = 0xc000 | HEADER_SIZE;

/**
 * Writes a handler's response, record by record. Sections come in order. Records beyond 65,535
 * bytes are dropped and TC is set. Responses are valid until the next `begin`.
 */
export class ResponseWriter {
  readonly #memory = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  readonly #ttls = new Uint16Array(MAX_RECORDS);
  readonly #response: Response;
  #at = 0;
  #ttlCount = 0;
  #recordStart = 0;
  #lengthAt = 0;
  #countAt = 6;
  #full = false;

  constructor() {
    this.#response = new Response(this.#memory);
  }

  /** `flags` add to QR and the client's RD. */
  begin(question: Question, rcode: number, flags = 0): this {
    this.#response.begin(question, rcode, (question.flags & FLAG.RD) | flags);
    this.#at = this.#response.length;
    this.#ttlCount = 0;
    this.#lengthAt = 0;
    this.#full = false;
    return this;
  }

  /** Opens a record before its data; `owner` is in wire form, or null for the qname. */
  record(
    section: "answer" | "authority" | "additional",
    owner: Uint8Array | null,
    type: number,
    qclass: number,
    ttlSeconds: number,
  ): this {
    this.#closeRecord();
    this.#countAt = section === "answer" ? 6 : section === "authority" ? 8 : 10;
    this.#recordStart = this.#at;
    if (owner === null) this.uint16(QNAME_POINTER);
    else this.raw(owner, 0, owner.length);
    this.uint16(type);
    this.uint16(qclass);
    if (this.#ttlCount < MAX_RECORDS) this.#ttls[this.#ttlCount] = this.#at;
    this.#ttlCount++;
    this.uint16(ttlSeconds >>> 16);
    this.uint16(ttlSeconds & 0xffff);
    this.#lengthAt = this.#at;
    this.uint16(0);
    return this;
  }

  uint8(value: number): this {
    if (this.#at < MAX_MESSAGE_SIZE) this.#memory.bytes[this.#at] = value;
    this.#at++;
    return this;
  }

  uint16(value: number): this {
    if (this.#at + 2 <= MAX_MESSAGE_SIZE) this.#memory.view.setUint16(this.#at, value);
    this.#at += 2;
    return this;
  }

  raw(source: Uint8Array, offset: number, length: number): this {
    const { bytes } = this.#memory;
    if (this.#at + length <= MAX_MESSAGE_SIZE) {
      for (let i = 0; i < length; i++) bytes[this.#at + i] = source[offset + i]!;
    }
    this.#at += length;
    return this;
  }

  end(): Response {
    this.#closeRecord();
    const { view } = this.#memory;
    const response = this.#response;
    if (this.#full) view.setUint16(2, view.getUint16(2) | FLAG.TC);
    response.point(this.#memory, { length: this.#at, ttlCount: this.#ttlCount, ttls: this.#ttls });
    return response;
  }

  #closeRecord(): void {
    if (this.#lengthAt === 0) return;
    const { view } = this.#memory;
    if (this.#full || this.#at > MAX_MESSAGE_SIZE || this.#ttlCount > MAX_RECORDS) {
      this.#full = true;
      this.#at = this.#recordStart;
      this.#ttlCount--;
    } else {
      view.setUint16(this.#lengthAt, this.#at - this.#lengthAt - 2);
      view.setUint16(this.#countAt, view.getUint16(this.#countAt) + 1);
    }
    this.#lengthAt = 0;
  }
}
