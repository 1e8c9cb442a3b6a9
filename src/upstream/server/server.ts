import { Address, parseAddress } from "../../dns/address.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint, TlsEndpoint } from "../../engine/io.ts";
import type { Inquiry } from "../message/inquiry.ts";
import { labelOf, type ServerAddress, type ServerSettings, type ServerState } from "../options.ts";
import { type AskHandler, type AskOptions, type Outcome, RANK, type Ticket } from "../outcome.ts";
import type { Reply } from "../message/reply.ts";
import { Connections } from "../transport/connections.ts";
import type { SocketQueue } from "../transport/socket_queue.ts";
import { Ask } from "./ask.ts";
import type { AskServer } from "./ask_server.ts";
import { Cookie } from "./cookie.ts";
import { type Checked, Health } from "./health.ts";
import { FormTrial } from "./form_trial.ts";
import { EdnsLadder } from "./ladder.ts";
import { ServerMetrics } from "./metrics.ts";
import { RoundTrip } from "./round_trip.ts";
import { Spelling } from "./spelling.ts";

/**
 * Default bounds of connections to one server. `bench/connections.ts` shows what they cost: 64 serve
 * 640 misses/s that take 100 ms each on a server that answers in order. At the bound late queries
 * cost a handshake each, so over TLS it must not be lower than over TCP.
 */
export const MAX_CONNECTIONS = { dns: 64, tls: 64, https: 4 } as const;
/** Handshakes of TLS with one server at a time: some tens of milliseconds each, which add up. */
const MAX_HANDSHAKES = 16;
/** Outstanding asks told at once that their server is silent; the rest a moment later. */
const TELL_AT_ONCE = 256;
/** Asks kept for the next questions. */
const MAX_SPARE = 1024;
/** How long truncated answers are handed on at once after TCP has failed, in milliseconds. */
const TCP_PAUSE_MS = 10_000;

/** What a server shares with the others of its group. */
export interface ServerGroup {
  readonly engine: EngineServices;
  readonly settings: ServerSettings;
  readonly reply: Reply;
  readonly sockets: SocketQueue;
  countMismatch(): void;
  countMalformed(): void;
  countForgery(): void;
  countWrongSubnet(): void;
}

/**
 * One server to ask: how to reach it, what it can do, how long it takes, whether it lives.
 *
 * It watches what is outstanding: where nothing at all has come for longer than replies usually take,
 * the server is suspect at once, long before the time-out of any query.
 */
export class UpstreamServer implements AskServer<Ask>, Checked {
  readonly label: string;
  readonly engine: EngineServices;
  readonly endpoint: Endpoint;
  readonly reply: Reply;
  readonly sockets: SocketQueue;
  readonly connections: Connections;
  readonly health: Health;
  readonly cookie: Cookie;
  readonly ladder = new EdnsLadder();
  readonly spelling: Spelling;
  readonly roundTrip = new RoundTrip();
  /** What it is sent comes back here (`loop` says so): it gets nothing but probes. */
  looping = false;
  readonly #group: ServerGroup;
  readonly #metrics: ServerMetrics;
  readonly #watch: Timer;
  readonly #spare: Ask[] = [];
  /** Outstanding asks, oldest first. */
  #oldest: Ask | null = null;
  #newest: Ask | null = null;
  /** When something came last, in monotonic milliseconds. */
  #heardMs = -Infinity;
  #tcpFailedMs = -Infinity;
  #trial: FormTrial | null = null;
  #retired = false;

  constructor(server: ServerAddress, group: ServerGroup) {
    const { engine, settings } = group;
    this.#group = group;
    this.engine = engine;
    this.reply = group.reply;
    this.sockets = group.sockets;
    this.label = labelOf(server);
    const { address, port, transport } = server;
    const { sourceAddress } = settings;
    this.endpoint = {
      address: toAddress(address, port),
      scope: address.split("%")[1] ?? "",
      source: sourceAddress === null ? null : toAddress(sourceAddress, 0),
      tls: tlsOf(server, settings),
    };
    this.#metrics = new ServerMetrics(engine, this.label, transport !== "dns");
    this.connections = new Connections(engine, {
      endpoint: this.endpoint,
      max: settings.maxConnections ?? MAX_CONNECTIONS[transport],
      maxHandshakes: transport === "dns" ? Infinity : MAX_HANDSHAKES,
      maxIdle: settings.maxIdleConns,
      idleMs: settings.expireMs,
      maxAgeMs: settings.maxAgeMs,
      patienceMs: () => this.roundTrip.patienceMs,
      count: (found) => this.#metrics.countConnection(found),
      mismatched: () => this.countMismatch(),
    });
    this.health = new Health(this, settings, engine);
    this.cookie = new Cookie({ enabled: settings.cookies, random: engine.random });
    this.spelling = new Spelling(settings.mixedCase);
    this.#watch = engine.timers.create(() => this.#look());
  }

  /** One of `RANK`. */
  get rank(): number {
    if (this.looping) return RANK.LOOPING;
    return !this.health.suspect ? RANK.WELL : this.health.down ? RANK.DOWN : RANK.SUSPECT;
  }

  /** How it is, for people. */
  get state(): ServerState {
    const { meanMs, sampledMs } = this.roundTrip;
    return {
      to: this.label,
      state: !this.health.suspect ? "up" : this.health.down ? "down" : "suspect",
      rttMs: sampledMs === -Infinity ? null : meanMs,
    };
  }

  /** Asks a question; returns the ticket, or how it ended if it could not be sent at all. */
  ask(inquiry: Inquiry, options: AskOptions, handler: AskHandler): Ticket | Outcome {
    const ask = this.#spare.pop() ?? new Ask(this);
    const ended = ask.start(inquiry, options, handler);
    if (ended === null) {
      // A question that went unanswered before would tell nothing.
      const tries = !options.again && this.#trial?.running !== true;
      const form = tries ? this.ladder.toTry(this.engine.nowMs) : -1;
      if (form >= 0) {
        this.#trial ??= new FormTrial(this);
        this.#trial.start(inquiry, form, options.streamed || this.forceTcp);
      }
      return ask;
    }
    this.giveBack(ask);
    return ended;
  }

  /** No new queries will come: ends checks, lets connections finish what is outstanding. */
  retire(): void {
    this.#retired = true;
    this.health.stop();
    this.engine.timers.clear(this.#watch);
    this.connections.retire();
    this.#metrics.hide();
  }

  get readTimeoutMs(): number {
    return this.#group.settings.readTimeoutMs;
  }

  get forceTcp(): boolean {
    return this.#group.settings.forceTcp;
  }

  get tcpFails(): boolean {
    return this.engine.nowMs - this.#tcpFailedMs < TCP_PAUSE_MS;
  }

  sent(ask: Ask): void {
    ask.older = this.#newest;
    ask.newer = null;
    if (this.#newest === null) this.#oldest = ask;
    else this.#newest.newer = ask;
    this.#newest = ask;
    if (this.#watch.index < 0) {
      this.engine.timers.set(this.#watch, this.engine.nowMs + this.roundTrip.patienceMs);
    }
  }

  done(ask: Ask): void {
    const { older, newer } = ask;
    if (older === null && newer === null && this.#oldest !== ask) return;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    ask.older = null;
    ask.newer = null;
  }

  giveBack(ask: Ask): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(ask);
  }

  heard(tookMs: number): void {
    const { nowMs } = this.engine;
    this.#heardMs = nowMs;
    this.roundTrip.sample(tookMs, nowMs);
    this.#metrics.countReply(this.reply.rcode, tookMs);
    if (!this.#retired) this.#metrics.showRoundTrip(this.roundTrip.meanMs);
    this.#alive();
  }

  /** An ask got no answer; the server is to blame where nothing has come since it was sent. */
  failed(sentMs: number): void {
    this.#metrics.countFailure();
    if (this.#heardMs < sentMs) this.#suspect();
  }

  tcpFailed(): void {
    if (!this.tcpFails) this.#tcpFailedMs = this.engine.nowMs;
  }

  countMismatch(): void {
    this.#metrics.countMismatch();
    this.#group.countMismatch();
  }

  countMalformed(): void {
    this.#group.countMalformed();
  }

  countForgery(): void {
    this.#group.countForgery();
  }

  countWrongSubnet(): void {
    this.#group.countWrongSubnet();
  }

  reportFolding(): void {
    this.engine.log(
      "warning",
      `${this.label} changes the case of names; queries to it are sent without x20 for an hour`,
    );
  }

  checked(durationMs: number): void {
    const { nowMs } = this.engine;
    this.#heardMs = nowMs;
    this.roundTrip.sample(durationMs, nowMs);
    this.#alive();
  }

  measureFailed(durationMs: number): void {
    this.roundTrip.sample(durationMs, this.engine.nowMs);
  }

  checkFailed(): void {
    this.#metrics.countFailedCheck();
    if (this.health.down && !this.#retired) this.#metrics.showUp(false);
  }

  #alive(): void {
    if (!this.#retired) this.#metrics.showUp(true);
    if (this.health.suspect) this.health.heard();
  }

  #suspect(): void {
    if (this.#retired || this.health.suspect) return;
    this.health.fail();
    // In a turn of its own: whoever has just failed decides first what to do.
    if (this.health.suspect) this.engine.timers.set(this.#watch, this.engine.nowMs);
  }

  /** Looks whether anything outstanding has waited too long in complete silence. */
  #look(): void {
    if (this.#oldest === null) return;
    const { nowMs, timers } = this.engine;
    const { patienceMs } = this.roundTrip;
    if (this.health.suspect) {
      timers.set(this.#watch, nowMs + patienceMs);
      this.#tell();
      return;
    }
    let ask: Ask | null = this.#oldest;
    // A query sent before something came says nothing: the question may just be a hard one. Nor
    // does what waits for its connection.
    while (ask !== null && (ask.sentMs < this.#heardMs || ask.sinceMs === Infinity)) {
      ask = ask.newer;
    }
    if (ask === null) {
      timers.set(this.#watch, nowMs + patienceMs);
    } else if (ask.sinceMs + patienceMs > nowMs) {
      timers.set(this.#watch, ask.sinceMs + patienceMs);
    } else {
      timers.set(this.#watch, nowMs + patienceMs);
      this.#suspect();
    }
  }

  /** Tells what is outstanding that no reply is likely to come. */
  #tell(): void {
    let left = TELL_AT_ONCE;
    let next = this.#oldest;
    while (next !== null) {
      const ask = next;
      next = ask.newer;
      if (ask.silenceReported || ask.sinceMs === Infinity || ask.sentMs < this.#heardMs) continue;
      if (left-- === 0) {
        this.engine.timers.set(this.#watch, this.engine.nowMs + 1);
        return;
      }
      ask.reportSilence();
    }
  }
}

function tlsOf(
  { transport, serverName }: ServerAddress,
  { tls, dohMethod }: ServerSettings,
): TlsEndpoint | null {
  if (transport === "dns") return null;
  return { ...tls, serverName, http: transport === "https" ? dohMethod : null };
}

/** Socket address of an IP address that the configuration has checked. */
function toAddress(text: string, port: number): Address {
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null) throw new TypeError(`Cannot use "${text}" as an IP address`);
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  return address;
}
