import { parseResolvConf } from "../config/resolv_conf.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularText } from "../sys/regular_file.ts";
import type { QueryTarget } from "./dns_client.ts";
import { lookUpHost, serverText } from "./host_lookup.ts";
import type { AddressType, HostAnswer } from "./host_reply.ts";

/** Most addresses kept for a name. */
const MAX_ADDRESSES = 32;
const TYPES: readonly AddressType[] = ["A", "AAAA"];
const DNS_PORT = 53;

/** Times that a name is followed by. */
export interface HostTiming {
  /** Bounds of the time after which an answer is asked for again; its TTL lies in between. */
  minRefreshMs: number;
  maxRefreshMs: number;
  /** Bounds of the time after which a failed lookup is tried again; it doubles each time. */
  minRetryMs: number;
  maxRetryMs: number;
  /** Time that a resolver has for its reply. */
  timeoutMs: number;
  attempts: number;
}

/** Times in use; the tests have shorter ones. */
export const HOST_TIMING: HostTiming = {
  minRefreshMs: 5000,
  maxRefreshMs: 300_000,
  minRetryMs: 1000,
  maxRetryMs: 30_000,
  timeoutMs: 2000,
  attempts: 3,
};

/** How a name is followed, and who is told. */
export interface HostWatchOptions {
  /** Resolvers to ask; empty for those of `resolvConfPath`. */
  resolvers: readonly QueryTarget[];
  resolvConfPath: string;
  timing: HostTiming;
  /** Whether a resolver is nodens itself. */
  isOwn: (server: QueryTarget) => boolean;
  onChange: () => void;
  /** It cannot be resolved; told once until it can again. */
  onProblem: (why: string) => void;
  onRecovery: () => void;
  /** Addresses that are known from before; they stay until there are others. */
  known?: readonly string[];
}

/** Follows the addresses of a host name. They stay while it cannot be resolved. */
export class HostWatch {
  readonly host: string;
  addresses: readonly string[];
  /** Settles once the name has been looked up for the first time, whatever came of it. */
  readonly first: Promise<void>;
  readonly #options: HostWatchOptions;
  readonly #stop = new AbortController();
  readonly #byType = new Map<AddressType, readonly string[]>();
  #retryMs: number;
  readonly #looked: () => void;
  #troubled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(host: string, options: HostWatchOptions) {
    this.host = host;
    this.addresses = options.known ?? [];
    const first = Promise.withResolvers<void>();
    this.first = first.promise;
    this.#looked = first.resolve;
    this.#options = options;
    this.#retryMs = options.timing.minRetryMs;
  }

  /** Resolves the name and goes on to. */
  start(): void {
    this.#running = this.#run();
  }

  /** Ends what is under way; resolves when it has. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const next = await this.#resolve();
    this.#looked();
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => this.start(), next);
  }

  /** Returns after which time to do it again. */
  async #resolve(): Promise<number> {
    const { timing, onProblem, onRecovery } = this.#options;
    const servers = await this.#servers();
    const { timeoutMs, attempts } = timing;
    const options = { servers, timeoutMs, attempts, signal: this.#stop.signal };
    const results = await Promise.all(
      TYPES.map((type) => settle(lookUpHost({ host: this.host, type }, options))),
    );
    if (this.#stop.signal.aborted) return 0;
    const good = results.filter((result): result is HostAnswer => !(result instanceof Error));
    const filled = good.filter(({ addresses }) => addresses.length > 0);
    if (filled.length === 0) {
      const failure = results.find((result) => result instanceof Error);
      if (!this.#troubled) onProblem(this.#explain(failure, servers));
      this.#troubled = true;
      return this.#backOff();
    }
    if (this.#troubled) onRecovery();
    this.#troubled = false;
    results.forEach((result, i) => {
      // Of a family that could not be asked for, what was known stays.
      if (!(result instanceof Error)) this.#byType.set(TYPES[i]!, result.addresses);
    });
    this.#merge(TYPES.flatMap((type) => this.#byType.get(type) ?? []));
    const ttlMs = Math.min(...filled.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
    const refreshMs = Math.min(Math.max(ttlMs, timing.minRefreshMs), timing.maxRefreshMs);
    if (good.length < results.length) return Math.min(this.#backOff(), refreshMs);
    this.#retryMs = timing.minRetryMs;
    return refreshMs;
  }

  /** Takes over changes. Resolvers rotate the order, which is not a change. */
  #merge(found: readonly string[]): void {
    const kept = this.addresses.filter((address) => found.includes(address));
    const added = found.filter((address) => !this.addresses.includes(address));
    const merged = [...kept, ...added].slice(0, MAX_ADDRESSES);
    if (merged.join() === this.addresses.join()) return;
    this.addresses = merged;
    this.#options.onChange();
  }

  #backOff(): number {
    const delay = this.#retryMs;
    this.#retryMs = Math.min(delay * 2, this.#options.timing.maxRetryMs);
    return delay;
  }

  async #servers(): Promise<readonly QueryTarget[]> {
    const { resolvers, resolvConfPath } = this.#options;
    if (resolvers.length > 0) return resolvers;
    try {
      const { servers } = parseResolvConf(
        await readRegularText(resolvConfPath, MAX_SYSTEM_FILE_BYTES),
      );
      return servers.map((address) => ({ address, port: DNS_PORT }));
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
      `it has no address, say ${servers.map(serverText).slice(0, 3).join(", ")}`;
    const own = servers.find((server) => this.#options.isOwn(server));
    const hint = own === undefined
      ? ""
      : `; ${serverText(own)} is nodens itself, which cannot know before it forwards (name ` +
        'another server with "resolver")';
    return `${why}${hint}`;
  }
}

/** A failure as a value. */
async function settle(lookup: Promise<HostAnswer>): Promise<HostAnswer | Error> {
  try {
    return await lookup;
  } catch (error) {
    return error as Error;
  }
}
