import { type Clock, systemClock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import { parseResolvConf, type ResolvConf } from "../../config/resolv_conf.ts";
import type { Config } from "../../config/types.ts";
import { quote } from "../../corefile/quote.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { FileWatch } from "../../follow/file_watch.ts";
import type { HostTiming, HostWatch } from "../../follow/host_watch.ts";
import { labelOf, type ServerAddress } from "../../upstream/options.ts";
import {
  type Companion,
  type CompanionServices,
  type Deliver,
  type Delivery,
  type Follower,
  type PluginUse,
  usesOf,
} from "../companion.ts";
import type { ForwardOptions, ResolvedUpstreams, UpstreamsUpdate } from "./options.ts";
import { leftOutText, OwnListeners } from "./own_listeners.ts";
import { type ForcedFollower, ForcedServers, type ForwardServers } from "./companion/forced.ts";
import { fileServer, MEANWHILE, resolveTo } from "./resolve_to.ts";

/** Before a reload continues. */
const RESOLVE_MS = 5000;
/** A file system that hangs must not block the exit. */
const STOP_MS = 1000;
const MAX_NAMED = 10;

/** Environment of `Upstreams`. */
export interface UpstreamsOptions extends Pick<CompanionServices, "log" | "interfaces"> {
  deliver: Deliver;
  /** Default: none. */
  forced?: ForcedServers;
  previous?: Upstreams | null;
  clock?: Clock;
  /** Used if the Corefile names no resolvers. */
  resolvConfPath?: string;
  hostTiming?: Partial<HostTiming>;
}

interface Directive extends PluginUse<ForwardOptions> {
  label: string;
  /** Of the data planes. */
  current: UpstreamsUpdate;
  prepared: UpstreamsUpdate;
  files: FileWatch[];
  hosts: HostWatch[];
  named: Map<string, ResolvConf>;
  used: Map<string, ResolvConf>;
  leftOut: string;
  spared: boolean;
}

/** Follows names and resolv.conf files. */
export function createForwardCompanion(
  { planes, log, registry, interfaces }: CompanionServices,
): Companion<Upstreams> {
  const forced = new ForcedServers(registry);
  const services = { planes, log, forced };
  // Loaded only for operators.
  const verbs = () => import("./companion/verbs.ts");
  return {
    follow: (config, { deliver, previous }) =>
      new Upstreams(config, { deliver, log, forced, previous, interfaces }),
    verbs: [
      { name: "upstreams", run: async (call) => (await verbs()).listUpstreams(call, services) },
      {
        name: "upstreams/set",
        changes: true,
        parameters: ["to", "state", "force"],
        run: async (call) => (await verbs()).setUpstream(call, services),
      },
    ],
  };
}

/** Delivers the servers of every TO. */
export class Upstreams implements Follower, ForcedFollower {
  readonly #config: Config;
  readonly #options: UpstreamsOptions;
  readonly #forced: ForcedServers;
  #previous: Upstreams | null;
  readonly #files = new Map<string, FileWatch>();
  readonly #hosts = new Map<string, HostWatch>();
  readonly #directives: Directive[] = [];
  #prepared = false;
  #started = false;
  #stopped = false;
  #starting: Promise<void> = Promise.resolve();

  constructor(config: Config, options: UpstreamsOptions) {
    this.#config = config;
    const { previous = null, ...others } = options;
    this.#previous = previous;
    this.#options = others;
    this.#forced = others.forced ?? new ForcedServers(null);
    this.#forced.followers.add(this);
  }

  /** At first does not wait for names. */
  async prepare(): Promise<Delivery[]> {
    const previous = this.#previous;
    if (previous === null) return [];
    this.#previous = null;
    this.#prepared = true;
    this.#collect(previous);
    if (this.#hasNames()) {
      this.#starting = this.#followHosts(previous);
      await this.#starting;
      const mixed = this.#directives.filter(({ hosts }) => hosts.length > 0);
      await this.#settled(mixed.flatMap(({ files }) => files.map((file) => file.poll())));
      const unknown = [...this.#hosts.values()].filter(({ addresses }) => addresses.length === 0);
      await this.#settled(unknown.map(({ first }) => first));
      this.#refresh("");
    }
    return this.#directives.flatMap((directive) => {
      const { block, position, current, options, files } = directive;
      directive.prepared = current;
      // An inherited handler may have received other servers since.
      const known = files.length === 0 && current.upstreams === options.upstreams &&
        current.forced === undefined;
      return known ? [] : [{ block, position, data: current }];
    });
  }

  start(): void {
    if (!this.#prepared) this.#collect(null);
    this.#started = true;
    for (const { block, position, prepared, current } of this.#directives) {
      if (prepared !== current) this.#options.deliver(block, position, current);
    }
    for (const file of this.#files.values()) file.start();
    if (!this.#prepared && this.#hasNames()) this.#starting = this.#followHosts(null);
    const own = this.#ownListeners();
    for (const directive of this.#directives) this.#warnOfLoop(own, directive);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#forced.followers.delete(this);
    await this.#starting;
    const watches = [...this.#files.values(), ...this.#hosts.values()];
    await this.#settled(watches.map((watch) => watch.stop()), STOP_MS);
  }

  follows({ blocks }: Config): boolean {
    return blocks === this.#config.blocks;
  }

  get forwards(): readonly ForwardServers[] {
    return this.#directives.map((use) => ({ use, upstreams: use.current.upstreams }));
  }

  applyForced(): void {
    for (const directive of this.#directives) {
      const { block, position, current } = directive;
      const update = this.#withForced(directive, current);
      if (JSON.stringify(update.forced) === JSON.stringify(current.forced)) continue;
      directive.current = update;
      if (this.#started) this.#options.deliver(block, position, update);
    }
  }

  async #settled(promises: readonly Promise<unknown>[], limitMs = RESOLVE_MS): Promise<void> {
    await doneWithin(Promise.allSettled(promises), limitMs, this.#clock);
  }

  get #clock(): Clock {
    return this.#options.clock ?? systemClock;
  }

  #hasNames(): boolean {
    return this.#directives.some(({ options }) => options.to.some(({ kind }) => kind === "name"));
  }

  #collect(previous: Upstreams | null): void {
    for (const use of usesOf<ForwardOptions>(this.#config, "forward")) {
      const { place, options: { from, to } } = use;
      const { upstreams, readTimeoutMs, maxConnectAttempts, policy } = use.options;
      const current: UpstreamsUpdate = { upstreams, readTimeoutMs, maxConnectAttempts, policy };
      const directive: Directive = {
        ...use,
        label: `${place}: forward ${from}`,
        current,
        prepared: current,
        files: [],
        hosts: [],
        named: new Map(),
        used: new Map(),
        leftOut: "",
        spared: false,
      };
      this.#directives.push(directive);
      for (const one of to) {
        if (one.kind !== "file") continue;
        const { path, content } = one;
        const before = previous === null ? undefined : previous.#usedOf(path);
        const named = content.servers.length > 0 ? content : before;
        directive.files.push(this.#fileWatch(path, named === undefined));
        if (named !== undefined) directive.named.set(path, named);
        if (before !== undefined) directive.used.set(path, before);
      }
    }
    const own = this.#ownListeners();
    for (const directive of this.#directives) {
      if (directive.files.length === 0) continue;
      const { update, leftOut } = this.#resolve(directive, own);
      // Loading has warned, except of servers that stay.
      if (leftOut.includes(MEANWHILE.before)) this.#warn(directive, leftOut);
      directive.leftOut = leftOut;
      if (describeChange(directive.current, update) !== "") directive.current = update;
    }
    this.applyForced();
  }

  #usedOf(path: string): ResolvConf | undefined {
    return this.#directives.find(({ used }) => used.has(path))?.used.get(path);
  }

  #ownListeners(): OwnListeners {
    const directives = new Map(this.#directives.map((one) => [one.options, one]));
    const named = (options: ForwardOptions) => {
      const { named: files, hosts } = directives.get(options)!;
      return resolveTo(options, { files, addresses: addressesOf(hosts) }).upstreams;
    };
    return new OwnListeners(this.#config, named, () => {
      try {
        return this.#options.interfaces();
      } catch {
        // Only loopback and listener addresses are known.
        return [];
      }
    });
  }

  /** `troubled`: loading has warned of the file. */
  #fileWatch(path: string, troubled: boolean): FileWatch {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    // Loading has warned, unless it changed since.
    let first = true;
    const watch = new FileWatch(path, {
      clock: this.#clock,
      check: (text) => parseResolvConf(text).servers.length > 0 ? null : "it names no server",
      troubled,
      onText: (text) => {
        const { invalid: [word], ...content } = parseResolvConf(text);
        for (const { files, named } of this.#directives) {
          if (files.includes(watch)) named.set(path, content);
        }
        const changed = this.#refresh(`${path} changed`);
        if (word !== undefined && (!first || changed)) {
          this.#log("warning", `${path}: ${quote(word)} is not an IP address; the line is ignored`);
        }
        first = false;
      },
      onProblem: (why) => this.#log("warning", `Cannot use ${path}: ${why}; its servers stay`),
    });
    this.#files.set(path, watch);
    return watch;
  }

  /** Loaded only for names. */
  async #followHosts(previous: Upstreams | null): Promise<void> {
    const { HostWatch } = await import("../../follow/host_watch.ts");
    if (this.#stopped) return;
    const { resolvConfPath = "/etc/resolv.conf", hostTiming = {} } = this.#options;
    const own = this.#ownListeners();
    for (const { options: { to, resolvers }, hosts } of this.#directives) {
      for (const one of to) {
        if (one.kind !== "name") continue;
        const { host } = one;
        const key = [host, ...resolvers.map(({ address, port }) => `${address} ${port}`)].join();
        const before = previous === null ? undefined : previous.#hosts.get(key);
        const watch = this.#hosts.get(key) ?? new HostWatch(host, {
          clock: this.#clock,
          resolvers,
          resolvConfPath,
          timing: hostTiming,
          isOwn: (server) => own.blocksAt(server).length > 0,
          known: before?.addresses ?? [],
          onChange: () => this.#refresh(`${host} changed`),
          onProblem: (why) => this.#log("warning", `Cannot resolve ${quote(host)}: ${why}`),
          onRecovery: () => this.#log("info", `${quote(host)} resolves again`),
        });
        this.#hosts.set(key, watch);
        hosts.push(watch);
      }
    }
    for (const watch of this.#hosts.values()) watch.start();
  }

  #refresh(why: string): boolean {
    let changed = false;
    const own = this.#ownListeners();
    for (const directive of this.#directives) {
      const { block, position, current, files, hosts } = directive;
      if (files.length + hosts.length === 0) continue;
      const { update, leftOut } = this.#resolve(directive, own);
      if (leftOut !== directive.leftOut && leftOut !== "") this.#warn(directive, leftOut);
      directive.leftOut = leftOut;
      const change = describeChange(current, update);
      if (change === "") continue;
      changed = true;
      directive.current = this.#withForced(directive, update);
      if (!this.#started) continue;
      this.#options.deliver(block, position, directive.current);
      this.#log("info", `${directive.label}: ${why}: ${change}`);
      this.#warnOfLoop(own, directive);
    }
    return changed;
  }

  #resolve(
    { block, options, named, used, hosts }: Directive,
    own: OwnListeners,
  ): { update: ResolvedUpstreams; leftOut: string } {
    const leavesOut = (server: ServerAddress) => own.leadsBack(block, options, server);
    const isOwn = (address: string) => leavesOut(fileServer(address));
    const texts: string[] = [];
    for (const [path, content] of named) {
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

  #withForced(directive: Directive, update: UpstreamsUpdate): UpstreamsUpdate {
    const { forced: _before, ...servers } = update;
    const { forced, spared } = this.#forced.of(update.upstreams);
    if (spared && !directive.spared) {
      this.#warn(
        directive,
        `${listed(update.upstreams)} is out of service by hand and asked all the same: ` +
          "it has no other upstream any more",
      );
    }
    directive.spared = spared;
    return Object.keys(forced).length === 0 ? servers : { ...servers, forced };
  }

  #log(level: LogLevel, text: string): void {
    this.#options.log(level, `plugin/forward: ${text}`);
  }

  #warn({ label }: Directive, text: string): void {
    this.#log("warning", `${label}: ${text}`);
  }

  #warnOfLoop(listeners: OwnListeners, directive: Directive): void {
    const { block, current: { upstreams } } = directive;
    const own = upstreams.filter((upstream) =>
      upstream.transport === "dns" && listeners.blocksAt(upstream).includes(block)
    );
    if (own.length === 0) return;
    this.#warn(
      directive,
      `${listed(own)} is this server block itself, so what it forwards there comes back ` +
        "(name other servers)",
    );
  }
}

function addressesOf(hosts: readonly HostWatch[]): Map<string, readonly string[]> {
  return new Map(hosts.map(({ host, addresses }) => [host, addresses]));
}

function describeChange(old: ResolvedUpstreams, update: ResolvedUpstreams): string {
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

function listed(upstreams: readonly ServerAddress[]): string {
  if (upstreams.length === 0) return "none";
  const named = upstreams.slice(0, MAX_NAMED).map((one) => labelOf({ ...one, serverName: "" }));
  const more = upstreams.length - named.length;
  return named.join(" ") + (more > 0 ? ` and ${more} more` : "");
}
