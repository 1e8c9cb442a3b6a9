import { doneWithin } from "../../../base/deadline.ts";
import type { Config } from "../../../config/types.ts";
import { quote } from "../../../corefile/quote.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import { leftOutText } from "../leave_out.ts";
import { MEANWHILE } from "../meanwhile.ts";
import type { ForwardOptions, UpstreamsUpdate } from "../options.ts";
import { OwnListeners } from "../own_listeners.ts";
import { parseResolvConf, type ResolvConf } from "../../../config/resolv_conf.ts";
import { fileServer, resolveTo } from "../resolve_to.ts";
import type { ServerAddress } from "../../../upstream/options.ts";
import type { Deliver, Delivery, Follower as Follows } from "../../companion.ts";
import type { QueryTarget } from "../../../follow/dns_client.ts";
import { FileWatch } from "../../../follow/file_watch.ts";
import type { HostTiming, HostWatch } from "../../../follow/host_watch.ts";

const POLL_MS = 1000;
/** Time that host names have to be resolved before a reload goes on without them. */
const RESOLVE_MS = 5000;
/** A file system that hangs does not keep the process from ending. */
const STOP_MS = 1000;
/** Most upstreams that a line of the log names. */
const MAX_NAMED = 10;

/** What tests replace. */
export interface UpstreamsSurroundings {
  pollMs: number;
  /** Names the resolvers of host names for which the Corefile names none. */
  resolvConfPath: string;
  /** Null for the times in use. */
  hostTiming: HostTiming | null;
  /** Addresses of this machine. Throws if they may not be read. */
  interfaces: () => string[];
  /** Time that host names have to be resolved before a reload goes on without them. */
  resolveMs: number;
}

/** What following upstreams needs. */
export interface UpstreamsOptions {
  deliver: Deliver;
  log: (level: LogLevel, line: string) => void;
  /** Those of the configuration before, which know addresses already. */
  previous?: Upstreams | null;
  surroundings: Partial<UpstreamsSurroundings> & Pick<UpstreamsSurroundings, "interfaces">;
}

/** One `forward` directive that is followed. */
interface Follower {
  block: number;
  position: number;
  /** Where it stands and what it forwards, for the log. */
  label: string;
  options: ForwardOptions;
  /** What the data planes have. */
  current: UpstreamsUpdate;
  /** What they were given before `start`. */
  given: UpstreamsUpdate;
  files: FileWatch[];
  hosts: HostWatch[];
  /** By path, what each file said when it last named a server. */
  said: Map<string, ResolvConf>;
  /** The same, for the last text with a server that is not nodens itself; its servers stay. */
  used: Map<string, ResolvConf>;
  /** What was told of servers that are left out. */
  leftOut: string;
}

/**
 * Follows the files and host names that `forward` directives name as TO, and tells the data planes
 * when they stand for other upstreams.
 */
export class Upstreams implements Follows {
  readonly #config: Config;
  readonly #deliver: Deliver;
  /** Null once it has served its purpose: each would hold the one before. */
  #previous: Upstreams | null;
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #surroundings: UpstreamsSurroundings;
  readonly #files = new Map<string, FileWatch>();
  readonly #hosts = new Map<string, HostWatch>();
  readonly #followers: Follower[] = [];
  /** `prepare` has resolved what can be resolved. */
  #prepared = false;
  /** Changes are told to the data planes; before, they wait to be handed over. */
  #started = false;
  #stopped = false;
  #starting: Promise<void> = Promise.resolve();

  constructor(config: Config, options: UpstreamsOptions) {
    this.#config = config;
    this.#deliver = options.deliver;
    this.#log = options.log;
    this.#previous = options.previous ?? null;
    this.#surroundings = {
      pollMs: POLL_MS,
      resolvConfPath: "/etc/resolv.conf",
      hostTiming: null,
      resolveMs: RESOLVE_MS,
      ...options.surroundings,
    };
  }

  /**
   * Finds out what the directives of the configuration stand for before it is served. The first
   * configuration is served without waiting for names.
   */
  async prepare(): Promise<Delivery[]> {
    const previous = this.#previous;
    if (previous === null) return [];
    this.#previous = null;
    this.#prepared = true;
    this.#collect(previous);
    if (!this.#hasNames()) return this.#given();
    const { resolveMs } = this.#surroundings;
    this.#starting = this.#followHosts(previous);
    await this.#starting;
    const mixed = this.#followers.filter(({ hosts }) => hosts.length > 0);
    await settled(mixed.flatMap(({ files }) => files.map((file) => file.prime())), resolveMs);
    const unknown = [...this.#hosts.values()].filter(({ addresses }) => addresses.length === 0);
    await settled(unknown.map(({ first }) => first), resolveMs);
    this.#refresh("");
    return this.#given();
  }

  /**
   * What differs from the options that handlers are made with; with files also where it does not: a
   * handler that stays, since its options are as they were, may have been told something else since.
   */
  #given(): Delivery[] {
    return this.#followers.flatMap((follower) => {
      const { block, position, current, options, files } = follower;
      follower.given = current;
      const known = files.length === 0 && current.upstreams === options.upstreams;
      return known ? [] : [{ block, position, data: current }];
    });
  }

  /** Begins to follow what the directives name; those of which nothing can change cost nothing. */
  start(): void {
    const prepared = this.#prepared;
    if (!prepared) this.#collect(null);
    this.#started = true;
    for (const { block, position, given, current } of this.#followers) {
      // Changed since `prepare`.
      if (given !== current) this.#deliver(block, position, current);
    }
    for (const file of this.#files.values()) file.start();
    if (!prepared && this.#hasNames()) this.#starting = this.#followHosts(null);
    const own = this.#ownListeners();
    for (const follower of this.#followers) this.#warnOfLoop(own, follower);
  }

  #hasNames(): boolean {
    return this.#followers.some(({ options }) => options.to.some(({ kind }) => kind === "name"));
  }

  /** @param previous - knows what files said that name no server at the moment */
  #collect(previous: Upstreams | null): void {
    this.#config.blocks.forEach(({ file, plugins }, block) =>
      plugins.forEach(({ name, line, options }, position) => {
        if (name !== "forward") return;
        const forward = options as ForwardOptions;
        const { upstreams, readTimeoutMs, maxConnectAttempts, policy } = forward;
        const current = { upstreams, readTimeoutMs, maxConnectAttempts, policy };
        const follower: Follower = {
          block,
          position,
          label: `${file}:${line}: forward ${forward.from}`,
          options: forward,
          current,
          given: current,
          files: [],
          hosts: [],
          said: new Map(),
          used: new Map(),
          leftOut: "",
        };
        this.#followers.push(follower);
        for (const to of forward.to) {
          if (to.kind !== "file") continue;
          const { path, content } = to;
          const before = previous === null ? null : previous.#usedOf(path);
          const said = content.servers.length > 0 ? content : before;
          follower.files.push(this.#fileWatch(path, said === null));
          if (said !== null) follower.said.set(path, said);
          if (before !== null) follower.used.set(path, before);
        }
      })
    );
    const own = this.#ownListeners();
    for (const follower of this.#followers) {
      if (follower.files.length === 0) continue;
      const { update, leftOut } = this.#resolve(follower, own);
      // Reading the configuration has told of it, but not of servers that stay.
      if (leftOut.includes(MEANWHILE.before)) this.#warn(follower, leftOut);
      follower.leftOut = leftOut;
      if (describe(follower.current, update) !== "") follower.current = update;
    }
  }

  /** What a file last said that named servers to use. */
  #usedOf(path: string): ResolvConf | null {
    for (const { used } of this.#followers) {
      const content = used.get(path);
      if (content !== undefined) return content;
    }
    return null;
  }

  #ownListeners(): OwnListeners {
    const followers = new Map(this.#followers.map((follower) => [follower.options, follower]));
    const named = (options: ForwardOptions) => {
      const { said, hosts } = followers.get(options)!;
      return resolveTo(options, { files: said, addresses: addressesOf(hosts) }).upstreams;
    };
    return new OwnListeners(this.#config, named, () => this.#ownAddresses());
  }

  #ownAddresses(): string[] {
    try {
      return this.#surroundings.interfaces();
    } catch {
      // Not permitted: loopback and what listeners name are known all the same.
      return [];
    }
  }

  /** Stops following; resolves when nothing is under way any more, or after a second. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#starting;
    const watches = [...this.#files.values(), ...this.#hosts.values()];
    await settled(watches.map((watch) => watch.stop()), STOP_MS);
  }

  /** @param troubled - it names no server, which was told */
  #fileWatch(path: string, troubled: boolean): FileWatch {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    // Reading the configuration has complained of the first text already, if it is the same still.
    let first = true;
    const watch = new FileWatch(path, {
      pollMs: this.#surroundings.pollMs,
      check: (text) => parseResolvConf(text).servers.length > 0 ? null : "it names no server",
      troubled,
      onText: (text) => {
        const { invalid: _, ...content } = parseResolvConf(text);
        for (const { files, said } of this.#followers) {
          if (files.includes(watch)) said.set(path, content);
        }
        const changed = this.#refresh(`${path} changed`);
        if (!first || changed) this.#warnOfLines(path, text);
        first = false;
      },
      onProblem: (why) =>
        this.#log("warning", `plugin/forward: Cannot use ${path}: ${why}; its servers stay`),
    });
    this.#files.set(path, watch);
    return watch;
  }

  /** What resolves names is loaded only where there are some, to start fast. */
  async #followHosts(previous: Upstreams | null): Promise<void> {
    const { HOST_TIMING, HostWatch } = await import("../../../follow/host_watch.ts");
    if (this.#stopped) return;
    const own = this.#ownListeners();
    for (const follower of this.#followers) {
      const { to, resolvers } = follower.options;
      for (const one of to) {
        if (one.kind !== "name") continue;
        const { host } = one;
        const key = [host, ...resolvers.map(({ address, port }) => `${address} ${port}`)].join();
        const watch = this.#hosts.get(key) ?? new HostWatch(host, {
          resolvers,
          resolvConfPath: this.#surroundings.resolvConfPath,
          timing: this.#surroundings.hostTiming ?? HOST_TIMING,
          isOwn: (server) => own.blocksAt(server).length > 0,
          known: previous === null ? [] : previous.#hosts.get(key)?.addresses ?? [],
          onChange: () => this.#refresh(`${host} resolves anew`),
          onProblem: (why) =>
            this.#log("warning", `plugin/forward: Cannot resolve ${quote(host)}: ${why}`),
          onRecovery: () => this.#log("info", `plugin/forward: ${quote(host)} resolves again`),
        });
        this.#hosts.set(key, watch);
        follower.hosts.push(watch);
      }
    }
    for (const watch of this.#hosts.values()) watch.start();
  }

  /** Tells the data planes what has changed, if anything; `why` is for the log. */
  #refresh(why: string): boolean {
    let changed = false;
    const own = this.#ownListeners();
    for (const follower of this.#followers) {
      if (follower.files.length + follower.hosts.length === 0) continue;
      const { block, position, current, label } = follower;
      const { update, leftOut } = this.#resolve(follower, own);
      if (leftOut !== follower.leftOut) {
        follower.leftOut = leftOut;
        if (leftOut !== "") this.#warn(follower, leftOut);
      }
      const difference = describe(current, update);
      if (difference === "") continue;
      changed = true;
      follower.current = update;
      if (!this.#started) continue;
      this.#deliver(block, position, update);
      this.#log("info", `plugin/forward: ${label}: ${why}: ${difference}`);
      this.#warnOfLoop(own, follower);
    }
    return changed;
  }

  /** What a directive stands for now, and which servers are left out of that, in words. */
  #resolve(
    { block, options, said, used, hosts }: Follower,
    own: OwnListeners,
  ): { update: UpstreamsUpdate; leftOut: string } {
    const leavesOut = (server: ServerAddress) => own.leadsBack(block, options, server);
    const isOwn = (address: string) => leavesOut(fileServer(address));
    const texts: string[] = [];
    for (const [path, content] of said) {
      const out = content.servers.filter(isOwn);
      const useful = out.length < content.servers.length;
      if (useful) used.set(path, content);
      const stay = !useful && used.get(path)?.servers.every(isOwn) === false;
      if (out.length > 0) {
        texts.push(leftOutText(path, out) + (stay ? `; ${MEANWHILE.before}` : ""));
      }
    }
    const update = resolveTo(options, { files: used, addresses: addressesOf(hosts), leavesOut });
    const nobody = update.upstreams.length === 0 && hosts.length === 0;
    if (texts.length > 0 && nobody) texts.push(MEANWHILE.another);
    return { update, leftOut: texts.join("; ") };
  }

  #warn({ label }: Follower, text: string): void {
    this.#log("warning", `plugin/forward: ${label}: ${text}`);
  }

  #warnOfLines(path: string, text: string): void {
    const { invalid: [word] } = parseResolvConf(text);
    if (word === undefined) return;
    this.#log(
      "warning",
      `plugin/forward: ${path}: ${quote(word)} is no IP address; the line is ignored`,
    );
  }

  /** A query that comes back to the block that forwards it goes round until it times out. */
  #warnOfLoop(listeners: OwnListeners, follower: Follower): void {
    const { block, label, current: { upstreams } } = follower;
    const own = upstreams.filter((upstream) =>
      upstream.transport === "dns" && listeners.blocksAt(upstream).includes(block)
    );
    if (own.length === 0) return;
    this.#log(
      "warning",
      `plugin/forward: ${label}: ${listed(own)} is this server block itself, so what it forwards ` +
        "there comes back (name other servers)",
    );
  }
}

function addressesOf(hosts: readonly HostWatch[]): Map<string, readonly string[]> {
  return new Map(hosts.map(({ host, addresses }) => [host, addresses]));
}

/** Resolves when all have settled, or after `limitMs`. */
async function settled(promises: readonly Promise<unknown>[], limitMs: number): Promise<void> {
  await doneWithin(Promise.allSettled(promises), limitMs);
}

/** What has changed, in words; empty if nothing has. */
function describe(old: UpstreamsUpdate, update: UpstreamsUpdate): string {
  const changes: string[] = [];
  if (JSON.stringify(old.upstreams) !== JSON.stringify(update.upstreams)) {
    changes.push(`upstreams were ${listed(old.upstreams)}, are ${listed(update.upstreams)}`);
  }
  const compare = (what: string, before: unknown, after: unknown) => {
    if (before !== after) changes.push(`${what} was ${before ?? "unset"}, is ${after ?? "unset"}`);
  };
  compare("read_timeout", `${old.readTimeoutMs}ms`, `${update.readTimeoutMs}ms`);
  compare("max_connect_attempts", old.maxConnectAttempts, update.maxConnectAttempts);
  compare("policy", old.policy, update.policy);
  return changes.join("; ");
}

function listed(upstreams: readonly (QueryTarget & { transport: string })[]): string {
  if (upstreams.length === 0) return "none";
  const named = upstreams.slice(0, MAX_NAMED).map(({ address, port, transport }) =>
    `${transport === "dns" ? "" : `${transport}://`}${
      address.includes(":") ? `[${address}]` : address
    }:${port}`
  );
  const more = upstreams.length - named.length;
  return named.join(" ") + (more > 0 ? ` and ${more} more` : "");
}
