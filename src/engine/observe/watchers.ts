import type { EngineServices } from "../handler.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { ZoneTable } from "../question/zones.ts";
import type { Response } from "../response/response.ts";
import type { Timer } from "../timers.ts";
import {
  MAX_WATCHERS,
  type SightingLine,
  WATCH_MS,
  type WatchFilter,
  type WatchReply,
} from "./requests.ts";
import type { Sighting } from "./sighting.ts";
import { SightingTable } from "./sighting_table.ts";

/** Between collections: 2,560 a second. */
export const RING_LINES = 256;
/** Well below a millisecond. */
const LINES_PER_REPLY = 128;

class Watcher {
  collectedMs: number;
  readonly #filter: WatchFilter;
  readonly #zone: ZoneTable<true> | null;
  readonly #ring = new SightingTable(RING_LINES);
  #first = 0;
  #count = 0;
  #lost = 0;
  #left = 1;

  constructor(filter: WatchFilter, nowMs: number) {
    this.#filter = filter;
    this.#zone = filter.zone === null ? null : new ZoneTable([[filter.zone, true]]);
    this.collectedMs = nowMs;
  }

  see(exchange: Exchange, sighting: Sighting, response: Response | null, timeMs: number): void {
    if (!this.#matches(exchange, sighting) || --this.#left > 0) return;
    this.#left = this.#filter.sample;
    if (this.#count === RING_LINES) {
      this.#lost++;
      return;
    }
    const row = (this.#first + this.#count++) % RING_LINES;
    this.#ring.put(row, sighting, response, timeMs);
  }

  collect(): Pick<WatchReply, "lines" | "lost" | "more"> {
    const count = Math.min(LINES_PER_REPLY, this.#count);
    const lines: SightingLine[] = [];
    for (let i = 0; i < count; i++) lines.push(this.#ring.line((this.#first + i) % RING_LINES));
    this.#first = (this.#first + count) % RING_LINES;
    this.#count -= count;
    const lost = this.#lost;
    this.#lost = 0;
    return { lines, lost, more: this.#count > 0 };
  }

  #matches(exchange: Exchange, sighting: Sighting): boolean {
    const { rcodes, slowMs } = this.#filter;
    if (slowMs > 0 && sighting.waitedMs < slowMs) return false;
    if (rcodes.length > 0 && !rcodes.includes(sighting.rcode)) return false;
    if (!this.#isFrom(sighting)) return false;
    return this.#zone === null ||
      (sighting.nameLength > 0 && this.#zone.match(exchange) !== null);
  }

  #isFrom({ client: { bytes, family }, hasClient }: Sighting): boolean {
    const { client } = this.#filter;
    if (client === null) return true;
    const { address, prefix } = client;
    if (!hasClient || address.length !== (family === 4 ? 4 : 16)) return false;
    const whole = prefix >> 3;
    for (let i = 0; i < whole; i++) if (bytes[i] !== address[i]) return false;
    const rest = 8 - (prefix & 7);
    return rest === 8 || bytes[whole]! >> rest === address[whole]! >> rest;
  }
}

/** Those who watch queries. */
export class Watchers {
  readonly #engine: EngineServices;
  readonly #byId = new Map<string, Watcher>();
  readonly #timer: Timer;

  constructor(engine: EngineServices) {
    this.#engine = engine;
    this.#timer = engine.timers.create((nowMs) => this.#endAbandoned(nowMs));
  }

  get any(): boolean {
    return this.#byId.size > 0;
  }

  see(exchange: Exchange, sighting: Sighting, response: Response | null): void {
    const timeMs = this.#engine.wallMs();
    for (const watcher of this.#byId.values()) watcher.see(exchange, sighting, response, timeMs);
  }

  /** Begins or continues a watch; takes its lines. */
  collect(id: string, filter: WatchFilter): WatchReply {
    const { nowMs, timers } = this.#engine;
    let watcher = this.#byId.get(id);
    const begun = watcher === undefined;
    if (watcher === undefined) {
      if (this.#byId.size >= MAX_WATCHERS) {
        return { lines: [], lost: 0, more: false, begun: false, refused: true };
      }
      watcher = new Watcher(filter, nowMs);
      this.#byId.set(id, watcher);
      if (this.#timer.index < 0) timers.set(this.#timer, nowMs + WATCH_MS);
    }
    watcher.collectedMs = nowMs;
    return { ...watcher.collect(), begun, refused: false };
  }

  end(id: string): void {
    this.#byId.delete(id);
    if (this.#byId.size === 0) this.#engine.timers.clear(this.#timer);
  }

  #endAbandoned(nowMs: number): void {
    for (const [id, { collectedMs }] of this.#byId) {
      if (nowMs - collectedMs >= WATCH_MS) this.#byId.delete(id);
    }
    if (this.#byId.size > 0) this.#engine.timers.set(this.#timer, nowMs + WATCH_MS / 3);
  }
}
