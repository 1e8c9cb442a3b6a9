import { CLASS, HEADER_SIZE, TYPE } from "../../../dns/constants.ts";
import { KIND } from "../../../dns/response_scan.ts";
import { type Chain, Exchange } from "../../../engine/exchange/exchange.ts";
import type { EngineServices, HandlerEnvironment } from "../../../engine/handler.ts";
import { Memory } from "../../../engine/memory.ts";
import { copyFolded } from "../../../engine/question/fold.ts";
import { readStoredQuestion } from "../../../engine/question/read.ts";
import type { Response } from "../../../engine/response/response.ts";
import type { Timer } from "../../../engine/timers.ts";
import type { CacheContent } from "../content.ts";
import { type Ancestors, ClusterZone } from "./cluster_zone.ts";
import { Denials } from "./denials.ts";
import { KnownNames } from "./known_names.ts";
import { type Finding, Probes } from "./probes.ts";
import { Trust, TRUST_STATES } from "./trust.ts";

/** Pause for names with names below. */
const POPULATED_MS = 3_600_000;
/** Pause after a failure. */
const FAILED_MS = 10_000;
const COUNT_MS = 5000;
const FINDINGS = ["denied", "exists", "failed"] as const;

/** Environment of `SearchCut`. */
export interface SearchCutServices {
  readonly clusters: readonly string[];
  readonly content: CacheContent;
  readonly environment: HandlerEnvironment;
  readonly zones: readonly string[];
  readonly ecs: boolean;
  /** With this content. */
  readonly previous: SearchCut | null;
}

/**
 * Answers names below a denied one (RFC 8020) in search paths: `www.example.org.NAMESPACE.svc.ZONE`
 * does not exist if `org.NAMESPACE.svc.ZONE` does not. The denial is an ordinary entry for A,
 * without DO and CD; only hashes are here.
 */
export class SearchCut {
  readonly #content: CacheContent;
  readonly #engine: EngineServices;
  readonly #listener: number;
  readonly #ecs: boolean;
  readonly #probes: Probes;
  readonly #trusts: readonly Trust[];
  readonly #cuts: KnownNames;
  readonly #populated: KnownNames;
  readonly #found: Ancestors = { at: new Uint32Array(2), count: 0 };
  readonly #ancestor = new Exchange(new Memory(HEADER_SIZE + 256 + 4));
  readonly #denials: Denials;
  readonly #timer: Timer;
  readonly #counters: ReturnType<typeof makeCounters>;
  #stopped = false;

  constructor({ clusters, content, environment, zones, ecs, previous }: SearchCutServices) {
    const { engine, position, served = [] } = environment;
    this.#content = content;
    this.#engine = engine;
    this.#listener = served[0]?.listener ?? 0;
    this.#ecs = ecs;
    this.#denials = new Denials(content, engine);
    this.#probes = new Probes(engine, { position, flushes: content.flushes });
    this.#trusts = clusters.map((zone) => new Trust(new ClusterZone(zone), engine, this.#probes));
    for (const trust of this.#trusts) {
      for (const old of previous === null ? [] : previous.#trusts) trust.inherit(old);
    }
    this.#cuts = previous === null ? new KnownNames() : previous.#cuts;
    this.#populated = previous === null ? new KnownNames() : previous.#populated;
    const servers = new Map(served.map(({ listener, server }) => [listener, server]));
    const labels = { server: [...servers.values()].join(","), zones: zones.join(",") };
    this.#counters = makeCounters(engine, labels);
    this.#timer = engine.timers.create(() => this.#publish());
    this.#publish();
  }

  join(chain: Chain): void {
    this.#probes.join(chain, this.#listener);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const { values, timers } = this.#engine;
    this.#probes.stop();
    timers.clear(this.#timer);
    values[this.#counters.cuts] = 0;
    for (const state of TRUST_STATES) values[this.#counters[state]] = 0;
  }

  /** Another upstream has other names. */
  forget(): void {
    for (const trust of this.#trusts) trust.forget();
    this.#cuts.clear();
    this.#populated.clear();
    this.#publish();
  }

  /** Stores the answer too. */
  answer(exchange: Exchange, now: number): boolean {
    const remaining = this.covers(exchange, now);
    if (remaining === 0 || !this.#denials.answer(exchange, remaining, now)) return false;
    this.#engine.values[this.#counters.answers]!++;
    if (this.#denials.isDue) this.#probe(this.#ancestor);
    return true;
  }

  /** Seconds for which a name above is denied, or 0. Changes nothing. */
  covers(exchange: Exchange, now: number): number {
    if (!this.#mayCut(exchange) || this.#trustOf(exchange)?.state !== "on") return 0;
    for (let i = 0; i < this.#found.count; i++) {
      const ancestor = this.#read(exchange, this.#found.at[i]!);
      if (!this.#cuts.has(ancestor.hash, this.#engine.nowMs)) continue;
      const remaining = this.#denials.find(ancestor, now);
      if (remaining > 0) return remaining;
    }
    return 0;
  }

  /** After each response is stored. */
  concluded(exchange: Exchange, response: Response, kind: number, now: number): void {
    if (this.#stopped || !this.#mayCut(exchange)) return;
    if (exchange.uncacheable || !exchange.recursionDesired) return;
    const trust = this.#trustOf(exchange);
    if (trust === null) return;
    const finding = findingOf(response, kind);
    // Before probes, which use it.
    if (finding === "exists") this.#populate(exchange);
    else if (finding === "denied") this.#denied(exchange, trust, now);
    if (exchange.qtype === TYPE.A) {
      this.#probes.concluded(exchange, finding);
      this.#publishStates();
    }
  }

  #mayCut({ dnssecOk, checkingDisabled, qclass, ecsLength }: Exchange): boolean {
    return !dnssecOk && !checkingDisabled && qclass === CLASS.IN && (ecsLength === 0 || !this.#ecs);
  }

  /** Also sets `#found`. */
  #trustOf(exchange: Exchange): Trust | null {
    for (const trust of this.#trusts) {
      if (trust.zone.ancestors(exchange, this.#found)) return trust;
    }
    return null;
  }

  /** For A, at `at`; reused. */
  #read({ memory: { bytes }, offset, qnameLength }: Exchange, at: number): Exchange {
    const ancestor = this.#ancestor;
    const length = offset + HEADER_SIZE + qnameLength - at;
    const own = ancestor.memory;
    own.view.setUint16(4, 1);
    copyFolded(bytes, at, own.bytes, HEADER_SIZE, length);
    own.view.setUint16(HEADER_SIZE + length, TYPE.A);
    own.view.setUint16(HEADER_SIZE + length + 2, CLASS.IN);
    ancestor.length = HEADER_SIZE + length + 4;
    readStoredQuestion(ancestor, this.#engine.hashKey);
    return ancestor;
  }

  /** This name and those above exist. */
  #populate(exchange: Exchange): void {
    const { nowMs } = this.#engine;
    const untilMs = nowMs + POPULATED_MS;
    const { hash } = this.#read(exchange, exchange.offset + HEADER_SIZE);
    if (this.#cuts.has(hash, nowMs)) {
      this.#populated.add(hash, untilMs);
      this.#cuts.remove(hash);
    }
    for (let i = 0; i < this.#found.count; i++) {
      const { hash } = this.#read(exchange, this.#found.at[i]!);
      this.#populated.add(hash, untilMs);
      this.#cuts.remove(hash);
    }
  }

  #denied(exchange: Exchange, trust: Trust, now: number): void {
    if (this.#found.count === 0) return;
    trust.check();
    if (trust.state !== "on") return;
    const { nowMs } = this.#engine;
    for (let i = 0; i < this.#found.count; i++) {
      const ancestor = this.#read(exchange, this.#found.at[i]!);
      if (this.#populated.has(ancestor.hash, nowMs)) continue;
      const remaining = this.#denials.find(ancestor, now);
      if (remaining > 0) this.#cut(ancestor, remaining);
      else this.#probe(ancestor);
      return;
    }
  }

  #probe({ memory: { bytes }, qnameLength }: Exchange): void {
    const name = bytes.slice(HEADER_SIZE, HEADER_SIZE + qnameLength);
    this.#probes.begin(name, (finding, question) => this.#probed(finding, question));
  }

  #probed(finding: Finding, question: Exchange): void {
    const { nowMs, values } = this.#engine;
    values[this.#counters[finding]]!++;
    if (finding === "denied") {
      const remaining = this.#denials.find(question, this.#content.now(nowMs));
      if (remaining > 0) this.#cut(question, remaining);
    } else {
      this.#cuts.remove(question.hash);
      const forMs = finding === "exists" ? POPULATED_MS : FAILED_MS;
      this.#populated.add(question.hash, nowMs + forMs);
    }
  }

  #cut({ hash }: Exchange, seconds: number): void {
    const { nowMs, timers, values } = this.#engine;
    if (!this.#cuts.has(hash, nowMs)) values[this.#counters.cuts]!++;
    this.#cuts.add(hash, nowMs + 1000 * seconds);
    if (this.#timer.index < 0) timers.set(this.#timer, nowMs + COUNT_MS);
  }

  #publish(): void {
    const { nowMs, timers, values } = this.#engine;
    const cuts = this.#cuts.count(nowMs);
    values[this.#counters.cuts] = cuts;
    this.#publishStates();
    if (cuts > 0) timers.set(this.#timer, nowMs + COUNT_MS);
  }

  #publishStates(): void {
    const { values } = this.#engine;
    for (const state of TRUST_STATES) values[this.#counters[state]] = 0;
    for (const { state } of this.#trusts) values[this.#counters[state]]!++;
  }
}

/** An alias exists, whatever its target. */
function findingOf(response: Response, kind: number): Finding {
  if (kind === KIND.NXDOMAIN) return response.answerCount === 0 ? "denied" : "exists";
  return kind === KIND.SUCCESS || kind === KIND.NODATA ? "exists" : "failed";
}

function makeCounters(engine: EngineServices, labels: Record<string, string>) {
  const zones = (state: string) =>
    engine.counter("nodens_cache_search_cut_zones", { ...labels, state });
  const probes = (finding: string) =>
    engine.counter("nodens_cache_search_cut_probes_total", { ...labels, finding });
  const [denied, exists, failed] = FINDINGS.map(probes) as [number, number, number];
  return {
    answers: engine.counter("nodens_cache_search_cut_answers_total", labels),
    cuts: engine.counter("nodens_cache_search_cuts", labels),
    denied,
    exists,
    failed,
    unchecked: zones("unchecked"),
    on: zones("on"),
    off: zones("off"),
  };
}
