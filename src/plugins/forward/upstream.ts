import { Address, parseAddress } from "../../dns/address.ts";
import { RCODE } from "../../dns/constants.ts";
import { rcodeText } from "../../dns/mnemonics.ts";
import type { ResponseScanner } from "../../dns/response_scan.ts";
import { TIME_BUCKETS, timeBucket } from "../../engine/buckets.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import type { Endpoint, TlsEndpoint } from "../../io/contract.ts";
import type { Attempt } from "./attempt.ts";
import { Cookie } from "./cookie.ts";
import { type Checked, Health } from "./health.ts";
import type { ForwardOptions, UpstreamOptions, UpstreamState } from "./options.ts";
import { RoundTrip } from "./round_trip.ts";
import { UpstreamStreams } from "./streams.ts";

/** Response codes that are counted apart; the upstream's own inventions are "other". */
const RCODES = 24;
/** Outstanding attempts told at once that their upstream is silent; the rest a moment later. */
const TELL_AT_ONCE = 256;
/** How long a server that refuses EDNS is asked without (RFC 6891 section 6.2.2). */
const PLAIN_MS = 600_000;

/**
 * One server to forward to: how to reach it, how long it takes, whether it lives.
 *
 * It watches what is outstanding: where nothing at all has come for longer than replies usually take,
 * the upstream is suspect at once, long before the time-out of any query.
 */
export class Upstream implements Checked {
  /** As shown in messages and labels: `10.0.0.10:53`, `tls://[2001:db8::1]:853`. */
  readonly label: string;
  readonly options: UpstreamOptions;
  readonly endpoint: Endpoint;
  readonly streams: UpstreamStreams;
  readonly health: Health;
  readonly cookie: Cookie;
  readonly roundTrip = new RoundTrip();
  readonly #engine: EngineServices;
  readonly #watch: Timer;
  /** Outstanding attempts, oldest first. */
  #oldest: Attempt | null = null;
  #newest: Attempt | null = null;
  /** When something came last, in monotonic milliseconds. */
  #heardMs = -Infinity;
  /** It has sent OPT records. */
  #edns = false;
  #plainUntilMs = -Infinity;
  /** Retired: told to nobody any more. */
  #stopped = false;

  readonly #failures: number;
  readonly #replies: number;
  /** Histograms of how long replies take, by response code; 0 for none yet. */
  readonly #durations = new Int32Array(RCODES + 1);
  readonly #errors: number;
  readonly #mismatches: number;
  readonly #rtt: number;
  readonly #up: number;

  constructor(upstream: UpstreamOptions, options: ForwardOptions, engine: EngineServices) {
    this.#engine = engine;
    this.options = upstream;
    this.label = labelOf(upstream);
    const { address, port } = upstream;
    const { sourceAddress } = options;
    this.endpoint = {
      address: toAddress(address, port),
      scope: address.split("%")[1] ?? "",
      source: sourceAddress === null ? null : toAddress(sourceAddress, 0),
      tls: tlsOf(upstream, options),
    };
    this.streams = new UpstreamStreams(this.endpoint, options, engine, this.label);
    this.health = new Health(this, options, engine);
    this.cookie = new Cookie({ enabled: options.cookies, random: engine.random });
    this.#watch = engine.timers.create(() => this.#look());
    const to = { to: this.label };
    this.#failures = engine.counter("coredns_proxy_healthcheck_failures_total", {
      proxy_name: "forward",
      ...to,
    });
    this.#replies = engine.counter("nodens_upstream_replies_total", to);
    this.#errors = engine.counter("nodens_upstream_failures_total", to);
    this.#mismatches = engine.counter("nodens_upstream_mismatched_replies_total", to);
    this.#rtt = engine.counter("nodens_upstream_rtt_seconds", to);
    this.#up = engine.counter("nodens_upstream_up", to);
    engine.values[this.#up] = 1;
  }

  /** It is asked without OPT, which it has refused. */
  get plain(): boolean {
    return this.#engine.nowMs < this.#plainUntilMs;
  }

  /** How fit it is for a new query: 0 well, 1 suspect, 2 down. */
  get rank(): number {
    return !this.health.suspect ? 0 : this.health.down ? 2 : 1;
  }

  /** How it is, for people. */
  get state(): UpstreamState {
    const { meanMs, sampledMs } = this.roundTrip;
    return {
      to: this.label,
      state: !this.health.suspect ? "up" : this.health.down ? "down" : "suspect",
      rttMs: sampledMs === -Infinity ? null : meanMs,
    };
  }

  /** An attempt is on its way. */
  sent(attempt: Attempt): void {
    attempt.older = this.#newest;
    attempt.newer = null;
    if (this.#newest === null) this.#oldest = attempt;
    else this.#newest.newer = attempt;
    this.#newest = attempt;
    if (this.#watch.index < 0) {
      this.#engine.timers.set(this.#watch, this.#engine.nowMs + this.roundTrip.patienceMs);
    }
  }

  /** An attempt is over, one way or the other. */
  done(attempt: Attempt): void {
    const { older, newer } = attempt;
    if (older === null && newer === null && this.#oldest !== attempt) return;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    attempt.older = null;
    attempt.newer = null;
  }

  /**
   * A reply, which `scanner` has been over, came to an attempt.
   *
   * @param plain - to one whose query had no OPT record
   */
  replied(durationMs: number, scanner: ResponseScanner, plain: boolean): void {
    const { values, nowMs } = this.#engine;
    this.#heardMs = nowMs;
    this.roundTrip.sample(durationMs, nowMs);
    values[this.#replies]!++;
    if (scanner.edns) this.#edns = true;
    else if (plain && !this.#edns && scanner.rcode !== RCODE.FORMERR) {
      this.#plainUntilMs = nowMs + PLAIN_MS;
    }
    const rcode = scanner.rcode | (scanner.extendedRcode << 4);
    const kind = rcode < RCODES ? rcode : RCODES;
    const duration = this.#durations[kind]! || this.#makeDuration(kind);
    values[duration + timeBucket(durationMs)]!++;
    values[duration + TIME_BUCKETS.length + 1]! += durationMs / 1000;
    if (!this.#stopped) values[this.#rtt] = this.roundTrip.meanMs / 1000;
    this.#alive();
  }

  /** An attempt failed; the upstream is to blame where nothing has come since it was sent. */
  failed(sentMs: number): void {
    this.#engine.values[this.#errors]!++;
    if (this.#heardMs < sentMs) this.#suspect();
  }

  checked(durationMs: number): void {
    const { nowMs } = this.#engine;
    this.#heardMs = nowMs;
    this.roundTrip.sample(durationMs, nowMs);
    this.#alive();
  }

  measureFailed(durationMs: number): void {
    this.roundTrip.sample(durationMs, this.#engine.nowMs);
  }

  checkFailed(): void {
    const { values } = this.#engine;
    values[this.#failures]!++;
    if (this.health.down && !this.#stopped) values[this.#up] = 0;
  }

  /** Counts a datagram that answers nothing asked. */
  countMismatch(): void {
    this.#engine.values[this.#mismatches]!++;
  }

  /** No new queries will come: ends checks, lets connections finish what is outstanding. */
  retire(): void {
    this.#stopped = true;
    this.health.stop();
    this.#engine.timers.clear(this.#watch);
    this.streams.retire();
    // Not exported any more, unless another `forward` uses the same server and says so again.
    const { values } = this.#engine;
    values[this.#up] = NaN;
    values[this.#rtt] = NaN;
  }

  #makeDuration(kind: number): number {
    const rcode = kind === RCODES ? "other" : rcodeText(kind);
    return this.#durations[kind] = this.#engine.histogram(
      "coredns_proxy_request_duration_seconds",
      { proxy_name: "forward", to: this.label, rcode },
      TIME_BUCKETS,
    );
  }

  #alive(): void {
    if (!this.#stopped) this.#engine.values[this.#up] = 1;
    if (this.health.suspect) this.health.heard();
  }

  #suspect(): void {
    if (this.#stopped || this.health.suspect) return;
    this.health.fail();
    if (this.health.suspect) this.#tell();
  }

  /** Looks whether anything outstanding has waited too long in complete silence. */
  #look(): void {
    if (this.#oldest === null) return;
    const { nowMs, timers } = this.#engine;
    const patienceMs = this.roundTrip.patienceMs;
    let attempt: Attempt | null = this.#oldest;
    // What was sent before something came says nothing: the question may just be a hard one. Nor
    // does what waits for its connection.
    while (attempt !== null && (attempt.sentMs < this.#heardMs || attempt.sinceMs === Infinity)) {
      attempt = attempt.newer;
    }
    if (attempt === null) {
      timers.set(this.#watch, nowMs + patienceMs);
    } else if (attempt.sinceMs + patienceMs > nowMs) {
      timers.set(this.#watch, attempt.sinceMs + patienceMs);
    } else {
      timers.set(this.#watch, nowMs + patienceMs);
      if (this.health.suspect) this.#tell();
      else this.#suspect();
    }
  }

  /** Tells what is outstanding that no reply is likely to come. */
  #tell(): void {
    let left = TELL_AT_ONCE;
    let next = this.#oldest;
    while (next !== null) {
      const attempt = next;
      next = attempt.newer;
      if (attempt.told || attempt.sinceMs === Infinity || attempt.sentMs < this.#heardMs) continue;
      if (left-- === 0) {
        this.#engine.timers.set(this.#watch, this.#engine.nowMs + 1);
        return;
      }
      attempt.told = true;
      attempt.lookup?.upstreamSilent(attempt);
    }
  }
}

/** Name of an upstream in messages and labels. */
export function labelOf({ address, port, transport, serverName }: UpstreamOptions): string {
  const host = address.includes(":") ? `[${address}]` : address;
  if (transport === "dns") return `${host}:${port}`;
  return `${transport}://${host}${serverName === "" ? "" : `%${serverName}`}:${port}`;
}

function tlsOf(
  { transport, serverName }: UpstreamOptions,
  { tls, dohMethod }: ForwardOptions,
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
