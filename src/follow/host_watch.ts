import { parseResolvConf } from "../config/resolv_conf.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularText } from "../sys/regular_file.ts";
import type { QueryTarget } from "./dns_client.ts";
import { type HostQuestion, type HostReply, lookUpHost, serverText } from "./host_lookup.ts";
import { Watch, type WatchOptions } from "./watch.ts";

const MAX_ADDRESSES = 32;
const TYPES: readonly HostQuestion["type"][] = ["A", "AAAA"];
const DNS_PORT = 53;

const HOST_TIMING = {
  /** Bounds for the TTL. */
  minRefreshMs: 5000,
  maxRefreshMs: 300_000,
  /** Doubles after each failure. */
  minRetryMs: 1000,
  maxRetryMs: 30_000,
  timeoutMs: 2000,
  attempts: 3,
};

/** Intervals of resolving a name. */
export type HostTiming = typeof HOST_TIMING;

/** `HostWatch` options. */
export interface HostWatchOptions extends WatchOptions {
  /** Empty for those of `resolvConfPath`. */
  resolvers: readonly QueryTarget[];
  resolvConfPath: string;
  timing: Partial<HostTiming>;
  isOwn: (server: QueryTarget) => boolean;
  onChange: () => void;
  /** Used until resolved. */
  known: readonly string[];
}

/** Follows a host name's addresses; keeps them on failure. */
export class HostWatch extends Watch {
  readonly host: string;
  addresses: readonly string[];
  readonly #options: HostWatchOptions;
  readonly #timing: HostTiming;
  readonly #byType = new Map<HostQuestion["type"], readonly string[]>();
  readonly #first = Promise.withResolvers<void>();
  #retryMs: number;

  constructor(host: string, options: HostWatchOptions) {
    super(options);
    this.host = host;
    this.addresses = options.known;
    this.#options = options;
    this.#timing = { ...HOST_TIMING, ...options.timing };
    this.#retryMs = this.#timing.minRetryMs;
  }

  /** Resolves after the first attempt. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  start(): void {
    this.pollAfter(0);
  }

  async poll(): Promise<number> {
    const { timeoutMs, attempts, minRefreshMs, maxRefreshMs, minRetryMs } = this.#timing;
    const servers = await this.#servers();
    const options = { servers, timeoutMs, attempts, signal: this.stopped };
    const results = await Promise.allSettled(
      TYPES.map((type) => lookUpHost({ host: this.host, type }, options)),
    );
    this.#first.resolve();
    if (this.stopped.aborted) return 0;
    const answers = new Map<HostQuestion["type"], HostReply>();
    let failure: Error | undefined;
    results.forEach((result, i) => {
      if (result.status === "fulfilled") answers.set(TYPES[i]!, result.value);
      else failure ??= result.reason;
    });
    const filled = [...answers.values()].filter(({ addresses }) => addresses.length > 0);
    if (filled.length === 0) {
      this.report(this.#explain(failure, servers));
      return this.#backOff();
    }
    this.report(null);
    // A failed family's addresses stay.
    for (const [type, { addresses }] of answers) this.#byType.set(type, addresses);
    this.#merge(TYPES.flatMap((type) => this.#byType.get(type) ?? []));
    const ttlMs = Math.min(...filled.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
    const refreshMs = Math.min(Math.max(ttlMs, minRefreshMs), maxRefreshMs);
    if (failure !== undefined) return Math.min(this.#backOff(), refreshMs);
    this.#retryMs = minRetryMs;
    return refreshMs;
  }

  /** Order is not a change. */
  #merge(found: readonly string[]): void {
    const kept = this.addresses.filter((address) => found.includes(address));
    const added = found.filter((address) => !this.addresses.includes(address));
    const merged = [...kept, ...added].slice(0, MAX_ADDRESSES);
    if (merged.join() === this.addresses.join()) return;
    this.addresses = merged;
    this.#options.onChange();
  }

  #backOff(): number {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, this.#timing.maxRetryMs);
    return delayMs;
  }

  async #servers(): Promise<readonly QueryTarget[]> {
    const { resolvers, resolvConfPath } = this.#options;
    if (resolvers.length > 0) return resolvers;
    try {
      const text = await readRegularText(resolvConfPath, MAX_SYSTEM_FILE_BYTES);
      return parseResolvConf(text).servers.map((address) => ({ address, port: DNS_PORT }));
    } catch {
      return [];
    }
  }

  #explain(failure: Error | undefined, servers: readonly QueryTarget[]): string {
    if (servers.length === 0) {
      const { resolvConfPath } = this.#options;
      return `${resolvConfPath} names no server to ask (name one with "resolver")`;
    }
    const why = failure?.message ??
      `it has no address, according to ${servers.map(serverText).slice(0, 3).join(", ")}`;
    const own = servers.find((server) => this.#options.isOwn(server));
    if (own === undefined) return why;
    return `${why}; ${serverText(own)} is nodens itself, which cannot resolve names before it ` +
      'forwards (name another server with "resolver")';
  }
}
