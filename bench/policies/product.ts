import { Memory } from "../../src/engine/memory.ts";
import { Response } from "../../src/engine/response/response.ts";
import type { KeyedQuestion } from "../../src/plugins/cache/store/subnets.ts";
import { Store } from "../../src/plugins/cache/store/store.ts";
import type { Policy } from "./policy.ts";

const HEADER_SIZE = 12;
const LABEL_SIZE = 8;
const QNAME_LENGTH = LABEL_SIZE + 2;
const MESSAGE_LENGTH = HEADER_SIZE + QNAME_LENGTH + 4;
const RESPONSE_FLAGS = 0x8180;
const MAX_TTL_SECONDS = 0x7fffffff;

/** The store of nodens' cache plugin. */
export class ProductPolicy implements Policy {
  readonly #store: Store;
  readonly #memory = new Memory(64);
  readonly #response = new Response(this.#memory);
  readonly #question: { -readonly [Key in keyof KeyedQuestion]: KeyedQuestion[Key] } = {
    memory: this.#memory,
    offset: 0,
    qnameLength: QNAME_LENGTH,
    qtype: 1,
    hash: 0,
    dnssecOk: false,
    checkingDisabled: false,
    client: -1,
    ecsAt: 0,
    ecsLength: 0,
    upstream: "",
    internal: false,
  };

  constructor(capacity: number) {
    this.#store = new Store(capacity);
    this.#response.length = MESSAGE_LENGTH;
    this.#response.ttlsAt = MESSAGE_LENGTH;
    const { bytes, view } = this.#memory;
    view.setUint16(4, 1);
    bytes[HEADER_SIZE] = LABEL_SIZE;
    view.setUint16(HEADER_SIZE + QNAME_LENGTH, 1);
    view.setUint16(HEADER_SIZE + QNAME_LENGTH + 2, 1);
  }

  get(key: number, nowSeconds: number): number | undefined {
    this.#ask(key);
    const store = this.#store;
    const row = store.find(this.#question, tenths(nowSeconds));
    if (row < 0 || store.remaining(row, tenths(nowSeconds)) <= 0) return undefined;
    store.touch(row);
    return store.remaining(row, 0);
  }

  put(key: number, expiresSeconds: number, nowSeconds: number): void {
    this.#ask(key);
    const ttlSeconds = Math.min(Math.ceil(expiresSeconds - nowSeconds), MAX_TTL_SECONDS);
    this.#store.insert(
      this.#question,
      this.#response,
      RESPONSE_FLAGS,
      ttlSeconds,
      tenths(nowSeconds),
    );
  }

  /** Uses the key as the question's name, and mixes it like a hash. */
  #ask(key: number): void {
    const { bytes } = this.#memory;
    for (let i = 0; i < LABEL_SIZE; i++) {
      bytes[HEADER_SIZE + 1 + i] = 0x61 + ((key >>> (4 * i)) & 15);
    }
    let hash = Math.imul(key ^ (key >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    this.#question.hash = hash ^ (hash >>> 16);
  }
}

function tenths(seconds: number): number {
  return Math.floor(seconds * 10);
}
