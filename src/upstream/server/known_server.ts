import { Address, parseAddress } from "../../dns/address.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Endpoint } from "../../engine/io.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Reply } from "../message/reply.ts";
import type { Learnt, ServerDetails } from "../details.ts";
import { FORM } from "../message/inquiry.ts";
import {
  type Forced,
  type GroupSettings,
  labelOf,
  type ServerAddress,
  type ServerState,
} from "../options.ts";
import { type ExtraEvent, type Outcome, RANK } from "../outcome.ts";
import { Connections } from "../transport/connections.ts";
import type { SocketQueue } from "../transport/udp.ts";
import { Cookie } from "./cookie.ts";
import { type CheckedServer, Health } from "./health.ts";
import { EdnsLadder } from "./ladder.ts";
import { ServerMetrics } from "./metrics.ts";
import { Outage } from "./outage.ts";
import { ServerRecord } from "./record.ts";
import { RoundTrip } from "./round_trip.ts";
import { Spelling } from "./spelling.ts";

/**
 * 64 serve 640 misses/s of 100 ms in order (`bench/connections.ts`). Beyond, late queries cost
 * handshakes, so TLS needs as many as TCP.
 */
const MAX_CONNECTIONS = { dns: 64, tls: 64, https: 4 } as const;
/** A handshake takes tens of milliseconds. */
const MAX_HANDSHAKES = 16;
/** Failed over at once; the rest 1 ms later. */
const MAX_REPORTS = 256;
/** Before TCP is retried. */
const TCP_PAUSE_MS = 10_000;
/** Without queries; a failure starts more frequent ones. */
const CHECK_MS = 5000;

/** Shared by a group's servers. */
export interface ServerGroup {
  readonly engine: EngineServices;
  /** For the log. */
  readonly zones: readonly string[];
  readonly settings: GroupSettings;
  readonly reply: Reply;
  readonly sockets: SocketQueue;
  count(event: "mismatch" | "malformed" | "forgery" | "wrongSubnet"): void;
}

/** Not ended. */
export interface OutstandingAsk {
  /** `sinceMs` is Infinity until connected. */
  readonly sentMs: number;
  readonly sinceMs: number;
  readonly silenceReported: boolean;
  reportSilence(): void;
}

/** Outstanding queries make it suspect after unusual silence. */
export class KnownServer implements CheckedServer {
  readonly group: ServerGroup;
  readonly engine: EngineServices;
  readonly label: string;
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  readonly health: Health;
  readonly cookie: Cookie;
  readonly ladder = new EdnsLadder();
  readonly spelling: Spelling;
  readonly roundTrip = new RoundTrip();
  /** Only probes are sent. */
  looping = false;
  readonly #outage: Outage;
  readonly record = new ServerRecord();
  readonly #metrics: ServerMetrics;
  readonly #watch: Timer;
  readonly #outstanding = new Set<OutstandingAsk>();
  #heardMs = -Infinity;
  #tcpFailedMs = -Infinity;
  #retired = false;
  #forced: Forced | null = null;
  readonly #checks: Timer;

  constructor(server: ServerAddress, group: ServerGroup) {
    const { engine, settings } = group;
    const { address, port, transport, serverName } = server;
    const { sourceAddress, dohMethod, tls } = settings;
    this.group = group;
    this.engine = engine;
    this.label = labelOf(server);
    this.endpoint = {
      address: toAddress(address, port),
      scope: address.split("%")[1] ?? "",
      source: sourceAddress === null ? null : toAddress(sourceAddress, 0),
      tls: transport === "dns"
        ? null
        : { ...tls, serverName, http: transport === "https" ? dohMethod : null },
    };
    this.#metrics = new ServerMetrics(engine, this.label, transport !== "dns");
    this.connections = new Connections(engine, {
      ...settings,
      endpoint: this.endpoint,
      max: settings.maxConnections ?? MAX_CONNECTIONS[transport],
      maxHandshakes: transport === "dns" ? Infinity : MAX_HANDSHAKES,
      patienceMs: () => this.roundTrip.patienceMs,
      count: (found) => this.#metrics.count(found ? "connectionsFound" : "connectionsOpened"),
      mismatched: () => this.countMismatch(),
    });
    this.#outage = new Outage(this.label, group);
    this.health = new Health(this, settings, engine);
    this.cookie = new Cookie({ enabled: settings.cookies, random: engine.random });
    this.spelling = new Spelling(settings.mixedCase);
    this.#watch = engine.timers.create((nowMs) => this.#checkSilence(nowMs));
    this.#checks = engine.timers.create(() => this.#checkUnused());
  }

  get rank(): number {
    if (this.#forced === "down") return RANK.OUT;
    if (this.looping) return RANK.LOOPING;
    if (this.#forced === "up") return RANK.WELL;
    return !this.health.suspect ? RANK.WELL : this.health.down ? RANK.DOWN : RANK.SUSPECT;
  }

  get state(): ServerState {
    const { known, meanMs } = this.roundTrip;
    return {
      to: this.label,
      state: this.health.state,
      rttMs: known ? meanMs : null,
      forced: this.#forced,
    };
  }

  get details(): ServerDetails {
    const { nowMs } = this.engine;
    const { latency, failure, failedMs } = this.record;
    return {
      ...this.state,
      stateMs: nowMs - this.health.sinceMs,
      latency: latency.counts,
      counts: this.#metrics.counts,
      learnt: this.#learnt(nowMs),
      lastFailure: failedMs === -Infinity ? null : { why: failure, agoMs: nowMs - failedMs },
    };
  }

  get forced(): Forced | null {
    return this.#forced;
  }

  /** Null: as checks say. A server that is out is checked. */
  force(forced: Forced | null): void {
    if (forced === this.#forced || this.#retired) return;
    this.#forced = forced;
    this.health.trusted = forced === "up";
    this.engine.timers.clear(this.#checks);
    if (forced === "down") this.#checkUnused();
  }

  get tcpFails(): boolean {
    return this.engine.nowMs - this.#tcpFailedMs < TCP_PAUSE_MS;
  }

  retire(): void {
    this.#retired = true;
    this.health.stop();
    this.engine.timers.clear(this.#watch);
    this.engine.timers.clear(this.#checks);
    this.connections.retire();
    this.#metrics.hide();
  }

  sent(ask: OutstandingAsk): void {
    this.#outstanding.add(ask);
    if (this.#watch.index < 0) this.#watchAt(this.engine.nowMs + this.roundTrip.patienceMs);
  }

  done(ask: OutstandingAsk): void {
    this.#outstanding.delete(ask);
  }

  heard(rcode: number, tookMs: number): void {
    this.checked(tookMs);
    this.#metrics.countReply(rcode, tookMs);
    this.record.latency.add(tookMs);
    if (!this.#retired) this.#metrics.showRoundTrip(this.roundTrip.meanMs);
  }

  /** If nothing arrived since. */
  failed(sentMs: number, outcome: Outcome & { kind: "failed" | "silent" }): void {
    const silent = outcome.kind === "silent";
    this.#metrics.count("failures");
    if (silent) this.#metrics.count("timeouts");
    this.record.fail(silent ? "i/o timeout" : outcome.why, this.engine.nowMs);
    if (this.#heardMs < sentMs) this.#suspect();
  }

  lost(queries: number, answered: boolean): void {
    if (this.health.suspect) this.#outage.lost(queries, answered);
  }

  count(event: ExtraEvent | "timeouts"): void {
    this.#metrics.count(event);
  }

  tcpFailed(): void {
    if (!this.tcpFails) this.#tcpFailedMs = this.engine.nowMs;
  }

  countMismatch(): void {
    this.#metrics.count("mismatches");
    this.group.count("mismatch");
  }

  folds(): void {
    if (!this.spelling.folds(this.engine.nowMs)) return;
    this.engine.log(
      "warning",
      `${this.label} changes the case of names; queries to it are sent without x20 for an hour`,
    );
  }

  checked(durationMs: number): void {
    const { nowMs } = this.engine;
    this.#heardMs = nowMs;
    this.roundTrip.sample(durationMs, nowMs);
    if (!this.#retired) this.#metrics.showUp(true);
    if (this.health.suspect && !this.#retired) this.#outage.end();
    this.health.heard();
  }

  checkFailed(why: string): void {
    this.#metrics.count("failedChecks");
    this.record.fail(`health check: ${why}`, this.engine.nowMs);
    if (this.health.down && !this.#retired) {
      this.#metrics.showUp(false);
      this.#outage.down(why);
    }
  }

  #watchAt(dueMs: number): void {
    this.engine.timers.set(this.#watch, dueMs);
  }

  #checkUnused(): void {
    this.engine.timers.set(this.#checks, this.engine.nowMs + CHECK_MS);
    this.health.measure();
  }

  #learnt(nowMs: number): Learnt {
    const { cookie, connections: { habits, size }, record } = this;
    const known = this.roundTrip.known;
    const encrypted = this.endpoint.tls !== null;
    const limit = habits.limit(nowMs);
    return {
      edns: this.#edns,
      cookies: encrypted || cookie.learnt === "off" ? "off" : known ? cookie.learnt : null,
      case: this.#caseOf(nowMs),
      streams: record.streams,
      connections: {
        open: size,
        pipelines: habits.concurrent,
        singleUse: habits.isSingleUse(nowMs),
        limit: limit === Infinity ? null : limit,
      },
      looping: this.looping,
    };
  }

  get #edns(): Learnt["edns"] {
    const { form, knowsEdns } = this.ladder;
    if (form === FORM.OPTIONS) return knowsEdns ? "options" : null;
    return form === FORM.EDNS ? "alone" : "none";
  }

  #caseOf(nowMs: number): Learnt["case"] {
    const { spelling, record } = this;
    if (!spelling.enabled) return "off";
    if (!spelling.isMixed(nowMs)) return "changed";
    if (spelling.needsTcp(nowMs)) return "tcp";
    return record.keptCase ? "kept" : null;
  }

  #suspect(): void {
    if (this.#retired || this.health.suspect) return;
    this.health.fail();
    // By timer: the failed ask comes first.
    if (this.health.suspect) this.#watchAt(this.engine.nowMs);
  }

  #checkSilence(nowMs: number): void {
    if (this.#outstanding.size === 0) return;
    const { patienceMs } = this.roundTrip;
    this.#watchAt(nowMs + patienceMs);
    if (this.health.suspect) {
      this.#reportSilence();
      return;
    }
    const ask = this.#unheard().next().value;
    if (ask === undefined) return;
    if (ask.sinceMs + patienceMs > nowMs) this.#watchAt(ask.sinceMs + patienceMs);
    else this.#suspect();
  }

  /** Excludes queries before the last reply (perhaps hard ones), and those without a connection. */
  *#unheard(): Generator<OutstandingAsk, undefined> {
    for (const ask of this.#outstanding) {
      if (ask.sentMs >= this.#heardMs && ask.sinceMs !== Infinity) yield ask;
    }
  }

  #reportSilence(): void {
    let left = MAX_REPORTS;
    for (const ask of this.#unheard()) {
      if (ask.silenceReported) continue;
      if (left-- === 0) {
        this.#watchAt(this.engine.nowMs + 1);
        return;
      }
      ask.reportSilence();
    }
  }
}

function toAddress(text: string, port: number): Address {
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null) throw new TypeError(`Cannot use "${text}" as an IP address`);
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  return address;
}
