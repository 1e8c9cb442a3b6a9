import { RCODE } from "../../dns/constants.ts";
import type { SourceCounter } from "../exchange/answer_source.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { EngineServices } from "../handler.ts";
import { HashKey, hashOctets } from "../question/keyed_hash.ts";
import type { Response } from "../response/response.ts";
import type { Timer } from "../timers.ts";
import { latencyBucket } from "./latency.ts";
import { failureTag, type Period } from "./period.ts";
import { Periods } from "./periods.ts";
import type { ObserveRequest, TallyReply } from "./requests.ts";
import { Sampler } from "./sampler.ts";
import { Sighting, UNANSWERED } from "./sighting.ts";
import { Tallies } from "./tallies.ts";
import { Watchers } from "./watchers.ts";

const SLOW_MS = 1;

/**
 * Observes clients' ended queries: the most frequent names, clients, zones and failures, longest
 * waits, and watches. Takes no memory before the first query.
 */
export class Observer {
  readonly #engine: EngineServices;
  readonly #sources: readonly SourceCounter[];
  readonly #key: HashKey;
  readonly #sampler: Sampler;
  /** Apart: failures are rare, or else as many as queries. */
  readonly #failures: Sampler;
  readonly #waits: Sampler;
  readonly #watchers: Watchers;
  readonly #sighting = new Sighting();
  #memory: ObserverMemory | null = null;
  /** Next adaptation or end of the minute; -Infinity at rest. */
  #tickMs = -Infinity;
  /** Hits need not look at the time. */
  readonly #timer: Timer;
  #adaptedMs = 0;

  /** @param sources - may grow */
  constructor(engine: EngineServices, sources: readonly SourceCounter[]) {
    this.#engine = engine;
    this.#sources = sources;
    this.#key = HashKey.draw(engine.random);
    this.#sampler = new Sampler(engine.random());
    this.#failures = new Sampler(engine.random());
    this.#waits = new Sampler(engine.random());
    this.#watchers = new Watchers(engine);
    this.#timer = engine.timers.create(() => this.#tick());
  }

  /** Octets of the tables. */
  get sizeBytes(): number {
    return this.#memory?.periods.sizeBytes ?? 0;
  }

  /** Size 0 if unsent. Allocates nothing. */
  ended(exchange: Exchange, sizeBytes: number): void {
    const sampler = this.#sampler;
    // Most hits end here.
    if (
      sampler.passes && sizeBytes > 0 && !exchange.parked &&
      exchange.response!.rcode === RCODE.NOERROR && !this.#watchers.any
    ) sampler.pass();
    else this.#see(exchange, sizeBytes === 0 ? null : exchange.response);
  }

  #see(exchange: Exchange, response: Response | null): void {
    const { nowMs } = this.#engine;
    if (nowMs >= this.#tickMs) this.#tick();
    const weight = this.#sampler.take();
    const { tallies, periods } = this.#memory!;
    const rcode = response === null ? UNANSWERED : response.rcode;
    const { parked } = exchange;
    // A plugin may answer nothing on purpose.
    const failed = tallies.count(rcode) && (response !== null || parked);
    let waitedMs = 0;
    if (parked) {
      waitedMs = nowMs - exchange.receivedMs;
      tallies.countWaited(latencyBucket(waitedMs));
    }
    const failures = failed ? this.#failures.take() : 0;
    const waited = waitedMs >= SLOW_MS ? this.#waits.take() : 0;
    const watched = this.#watchers.any;
    if (weight + failures + waited === 0 && !watched) return;

    const sighting = this.#sighting;
    sighting.read(exchange, rcode, waitedMs, this.#engine);
    const { current } = periods;
    if (weight > 0) this.#count(weight, current);
    const { name, nameLength, qtype, reason } = sighting;
    if (failures > 0 && nameLength > 0) {
      const hash = hashOctets(this.#key, name, 0, nameLength);
      const tag = failureTag(qtype, rcode);
      current.failures.add(name, 0, nameLength, hash, tag, failures, reason);
    }
    if (waited > 0 && waitedMs > current.slow.leastMs) {
      current.slow.offer(sighting, response, this.#engine.wallMs());
    }
    if (watched) this.#watchers.see(exchange, sighting, response);
  }

  #count(weight: number, current: Period): void {
    const { name, nameLength, qtype, hasClient, client } = this.#sighting;
    const key = this.#key;
    if (nameLength > 0) {
      current.names.add(name, 0, nameLength, hashOctets(key, name, 0, nameLength), qtype, weight);
      const zoneAt = this.#sighting.zoneAt;
      const length = nameLength - zoneAt;
      current.zones.add(name, zoneAt, length, hashOctets(key, name, zoneAt, length), 0, weight);
    }
    if (hasClient) {
      const { bytes, family } = client;
      const length = family === 4 ? 4 : 16;
      current.clients.add(bytes, 0, length, hashOctets(key, bytes, 0, length), family, weight);
    }
  }

  answer(request: ObserveRequest): unknown {
    if (request.type === "watch") return this.#watchers.collect(request.id, request.filter);
    if (request.type === "unwatch") return this.#watchers.end(request.id);
    const { nowMs } = this.#engine;
    if (nowMs >= this.#tickMs) this.#tick();
    const { periods } = this.#memory!;
    if (request.type === "list") return periods.list(request.list, request.span, nowMs);
    return this.#tallies(nowMs);
  }

  #tallies(nowMs: number): TallyReply {
    const { tallies, periods } = this.#memory!;
    const seconds = periods.seconds("minute", nowMs);
    return { ...tallies.read(), seconds, sampledEvery: this.#sampler.every };
  }

  /** About once a second, until one passes without queries. */
  #tick(): void {
    const { nowMs, timers } = this.#engine;
    const { periods, tallies } = this.#memory ??= this.#begin(nowMs);
    const seconds = (nowMs - this.#adaptedMs) / SECOND_MS;
    const rests = seconds >= 1 && this.#sampler.isIdle;
    if (seconds >= 1) {
      this.#sampler.adapt(seconds);
      this.#failures.adapt(seconds);
      this.#waits.adapt(seconds);
      this.#adaptedMs = nowMs;
    }
    const { endMs } = periods;
    if (nowMs >= endMs) {
      periods.advance(nowMs);
      tallies.advance(periods.endMs > endMs + MINUTE_MS);
    }
    this.#tickMs = rests ? -Infinity : Math.min(this.#adaptedMs + SECOND_MS, periods.endMs);
    if (!rests) timers.set(this.#timer, this.#tickMs);
  }

  #begin(nowMs: number): ObserverMemory {
    this.#adaptedMs = nowMs;
    return {
      periods: new Periods(nowMs),
      tallies: new Tallies(this.#engine.values, this.#sources, this.#sampler),
    };
  }
}

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

interface ObserverMemory {
  readonly periods: Periods;
  readonly tallies: Tallies;
}
