import type { ResponseScanner } from "../../dns/response_scan.ts";
import { bucketOf } from "../../engine/buckets.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Memory } from "../../engine/memory.ts";

/** From a microsecond, an answer with a few records, to more than the longest message can cost. */
const SCAN_BUCKETS: readonly number[] = [1e-6, 4e-6, 16e-6, 64e-6, 256e-6, 1e-3, 4e-3, 16e-3];

/** Measures how long replies keep the data plane busy before anything is known of them. */
export class ScanTime {
  readonly #engine: EngineServices;
  readonly #buckets: number;

  constructor(engine: EngineServices, labels: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#buckets = engine.histogram("nodens_forward_reply_scan_seconds", labels, SCAN_BUCKETS);
  }

  /** Has the message at the start of `memory` scanned; false where it must not be used. */
  scan(scanner: ResponseScanner, { bytes, view }: Memory, length: number): boolean {
    const { values, io } = this.#engine;
    const began = io.nanoseconds?.() ?? 0;
    const usable = scanner.scan(bytes, view, 0, length);
    const seconds = (((io.nanoseconds?.() ?? 0) - began) >>> 0) / 1e9;
    values[this.#buckets + bucketOf(SCAN_BUCKETS, seconds)]!++;
    values[this.#buckets + SCAN_BUCKETS.length + 1]! += seconds;
    return usable;
  }
}
