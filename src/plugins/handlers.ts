import { Lazy } from "../base/lazy.ts";
import type { CreateHandler, Creators } from "../engine/handler.ts";
import { createCache } from "./cache/handler.ts";
import { KEEP, SEARCH_CUT } from "./cache/parts.ts";
import { createErrors } from "./errors/handler.ts";
import { createForward } from "./forward/handler.ts";
import { createLog } from "./log/handler.ts";
import { createLoop, type LoopServices } from "./loop/handler.ts";
import type { LoopOptions } from "./loop/options.ts";
import { PATTERNS } from "./pattern.ts";
import { createPrometheus } from "./prometheus/handler.ts";
import type { HandlerPart } from "./traits.ts";

const CREATORS = {
  nsid: new Lazy(async () => (await import("./nsid/handler.ts")).createNsid),
  bufsize: new Lazy(async () => (await import("./bufsize/handler.ts")).createBufsize),
  rrl: new Lazy(async () => (await import("./rrl/handler.ts")).createRrl),
  prometheus: Lazy.of(createPrometheus),
  errors: Lazy.of(createErrors),
  log: Lazy.of(createLog),
  local: new Lazy(async () => (await import("./local/handler.ts")).createLocal),
  dns64: new Lazy(async () => (await import("./dns64/handler.ts")).createDns64),
  any: new Lazy(async () => (await import("./any/handler.ts")).createAny),
  chaos: new Lazy(async () => (await import("./chaos/handler.ts")).createChaos),
  loadbalance: new Lazy(async () => (await import("./loadbalance/handler.ts")).createLoadbalance),
  rewrite: new Lazy(async () => (await import("./rewrite/handler.ts")).createRewrite),
  acl: new Lazy(async () => (await import("./acl/handler.ts")).createAcl),
  cache: Lazy.of(createCache),
  header: new Lazy(async () => (await import("./header/handler.ts")).createHeader),
  minimal: new Lazy(async () => (await import("./minimal/handler.ts")).createMinimal),
  template: new Lazy(async () => (await import("./template/handler.ts")).createTemplate),
  hosts: new Lazy(async () => (await import("./hosts/handler.ts")).createHosts),
  loop: Lazy.of(createLoop),
  forward: Lazy.of(createForward),
  whoami: new Lazy(async () => (await import("./whoami/handler.ts")).createWhoami),
} satisfies Record<string, Lazy<CreateHandler<never>>>;

/** Instead of `cache`, if hits may be answered in the kernel. */
const KERNEL_CACHE = new Lazy(async () =>
  (await import("./cache/kernel/handler.ts")).createKernelCache as CreateHandler
);

/** Parts of handlers that few options need. */
const PARTS: Readonly<Record<HandlerPart, Lazy<unknown>>> = {
  patterns: PATTERNS,
  keep: KEEP,
  search_cut: SEARCH_CUT,
  kernel_hits: KERNEL_CACHE,
};

/** Handlers by plugin, of which the common ones are loaded at once; some directives have none. */
export const HANDLERS: ReadonlyMap<string, Lazy<CreateHandler>> = new Map(
  Object.entries(CREATORS) as [string, Lazy<CreateHandler>][],
);

/** What `handlerParts` names, to be loaded before the handlers are created. */
export function handlerModules(names: readonly string[]): Lazy<unknown>[] {
  const all = new Map<string, Lazy<unknown>>([...HANDLERS, ...Object.entries(PARTS)]);
  return names.flatMap((name) => all.get(name) ?? []);
}

/** Handlers that are loaded. */
export const LOADED: Creators = { get: (plugin) => HANDLERS.get(plugin)?.value };

/** As `LOADED`, for one of several data planes. */
export function creatorsWith(services: LoopServices & { kernelHits?: boolean }): Creators {
  const loop: CreateHandler = (options, environment) =>
    createLoop(options as LoopOptions, environment, services);
  return {
    get(plugin) {
      if (plugin === "loop") return loop;
      if (plugin === "cache" && services.kernelHits === true) return KERNEL_CACHE.value;
      return LOADED.get(plugin);
    },
  };
}
