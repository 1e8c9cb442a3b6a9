import type { EngineServices } from "../../../engine/handler.ts";
import type { Timer } from "../../../engine/timers.ts";
import type { CacheContent } from "../content.ts";
import type { EntryChoice } from "../flush/entry_filter.ts";
import { type FlushReply, SCAN_START, type ScanCursor } from "./requests.ts";
import { OperatorScan } from "./scan.ts";

/** Few have their own upstreams; beyond, all is forgotten. */
const MAX_ZONES = 16;

/** Forgets zones, a slice a turn. */
export class ZoneSweep {
  readonly #content: CacheContent;
  readonly #engine: EngineServices;
  readonly #scan: OperatorScan;
  readonly #timer: Timer;
  #left: { choice: EntryChoice; from: ScanCursor }[] = [];

  constructor(content: CacheContent, engine: EngineServices) {
    this.#content = content;
    this.#engine = engine;
    this.#scan = new OperatorScan(content);
    this.#timer = engine.timers.create(() => this.#sweep());
  }

  /** Answers in flight are not stored. */
  forget(zone: string): void {
    if (this.#left.length >= MAX_ZONES) return this.end();
    const choice = { name: zone, below: true, type: -1 };
    this.#scan.answer({ type: "begin flush", choice }, this.#content.now(this.#engine.nowMs));
    this.#left.push({ choice, from: SCAN_START });
    this.#next();
  }

  /** Forgets everything if zones are left. */
  end(): void {
    if (this.#left.length === 0) return;
    this.#left = [];
    this.#engine.timers.clear(this.#timer);
    this.#content.drop();
  }

  #sweep(): void {
    const [first] = this.#left;
    const now = this.#content.now(this.#engine.nowMs);
    const { next } = this.#scan.answer({ type: "flush", ...first! }, now) as FlushReply;
    if (next === null) this.#left.shift();
    else first!.from = next;
    if (this.#left.length > 0) this.#next();
  }

  #next(): void {
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + 1);
  }
}
