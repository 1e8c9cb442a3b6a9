import { cacheShareOf } from "../../config/memory_limit.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import {
  formatDuration,
  MAX_DURATION_MS,
  readDuration,
  readInteger,
} from "../../corefile/values.ts";
import { quote } from "../../corefile/quote.ts";
import type { Controller, PluginSetup, WholeConfig } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import type { CacheClassOptions, CacheOptions } from "./options.ts";
import { answeredElsewhere, checkKeep, describeKeep, readKeep } from "./setup_keep.ts";
import { checkSearchCut, hiddenBySearchCut, readSearchCut } from "./setup_search_cut.ts";
import { readServeStale } from "./setup_stale.ts";

/** `least` as in CoreDNS; `max` is a table's limit. */
const CAPACITY = { default: 9984, least: 1024, min: 0, max: 100_000_000 } as const;
/** RFC 2181 section 8. */
const TTL = { success: 3600, denial: 1800, min: 1, max: 2_147_483_647 } as const;
const MIN_TTL = { default: 5, min: 0, max: 2_147_483_647 } as const;
const PREFETCH = {
  amount: { name: "prefetch AMOUNT", default: 0, min: 0, max: 2_147_483_647 },
  duration: { name: "prefetch DURATION", default: 60_000, min: 0, max: MAX_DURATION_MS },
  percentage: { name: "prefetch PERCENTAGE", default: 10, min: 10, max: 90 },
} as const;
/** RFC 2308 section 7.1: at most five minutes. */
const SERVFAIL = { name: "servfail", default: 5000, min: 0, max: 300_000 } as const;
/** `min` fits thousands of entries; `max` is half the arena's address space. */
const CAPACITY_BYTES = { min: 2 ** 20, max: 2 ** 34 } as const;
const INTERVAL = {
  name: "persist INTERVAL",
  default: 600_000,
  min: 1000,
  max: MAX_DURATION_MS,
} as const;

/** Reads `cache [TTL] [ZONES...] { … }`. */
export const cacheSetup: PluginSetup = {
  name: "cache",
  describe: (options) => describeCache(options as CacheOptions),
  setup(controller) {
    controller.tokens.once(() => controller.addHandler(readCache(controller)));
  },
  complete: (whole) => completeCaches(whole as WholeConfig<CacheOptions>),
};

/** Divides memory among caches; reports shared files. */
function completeCaches({ config, uses, fault, warn }: WholeConfig<CacheOptions>): void {
  const places = new Map<string, string>();
  for (const { block, line, options } of uses) {
    const { file } = block;
    if (config.memoryBytes !== undefined) {
      options.capacityBytes ??= cacheShareOf(config.memoryBytes, uses.length);
    }
    const hider = hiddenBySearchCut(options, block);
    if (hider !== null) fault({ file, line }, hider);
    for (const text of answeredElsewhere(options, block, config)) warn({ file, line }, text);
    const path = options.persist?.file;
    if (path === undefined) continue;
    const other = places.get(path);
    if (other === undefined) places.set(path, `${file}:${line}`);
    else fault({ file, line }, `persist: the cache at ${other} uses "${path}" too (name another)`);
  }
}

function describeCache(options: CacheOptions): string {
  const { success, denial, serveStale, persist, zones, keep = [], searchCut = [] } = options;
  const of = zones.includes(".") ? "answers" : `answers for ${zones.join(", ")}`;
  const stale = serveStale === null || serveStale.durationMs === 0
    ? ""
    : `, stale ones for ${formatDuration(serveStale.durationMs)} more while no upstream answers`;
  const persisted = persist === null ? "" : `, and persisted in ${persist.file}`;
  return `${of} are cached for up to ${success.maxTtlSeconds} s, denials for up to ` +
    `${denial.maxTtlSeconds} s${stale}${persisted}` +
    (keep.length === 0 ? "" : `; always kept: ${keep.map(describeKeep).join(", ")}`) +
    (searchCut.length === 0 ? "" : `; denials of ${searchCut.join(", ")} count for names below`);
}

function readCache(controller: Controller): CacheOptions {
  const { tokens, zones, warn } = controller;
  const { line } = tokens.place;
  const args = tokens.remainingArgs();
  let ttl: number | null = null;
  if (args.length > 0 && /^[+-]?[0-9]+$/.test(args[0]!)) {
    ttl = readInteger(tokens, args.shift()!, { name: "TTL", min: TTL.min, max: TTL.max });
  }
  for (const word of args.filter((word) => /^=|^[0-9.]+(ms|s|m|h|d)$/.test(word))) {
    const what = `${quote(word)} is taken for a zone, so only its names are cached`;
    warn(line, `${what} (a TTL is a plain number of seconds: cache 30)`);
  }
  const ofClass = (maxTtlSeconds: number): CacheClassOptions => ({
    capacity: CAPACITY.default,
    maxTtlSeconds,
    minTtlSeconds: MIN_TTL.default,
  });
  const options: CacheOptions = {
    zones: readZones(tokens, args, zones),
    success: ofClass(ttl ?? TTL.success),
    denial: ofClass(ttl ?? TTL.denial),
    prefetch: {
      amount: PREFETCH.amount.default,
      durationMs: PREFETCH.duration.default,
      percentage: PREFETCH.percentage.default,
    },
    servfailMs: SERVFAIL.default,
    disable: { success: [], denial: [] },
    keepTtl: false,
    serveStale: null,
    preferPositive: false,
    capacityBytes: null,
    persist: null,
  };
  readOptions(options, controller);
  if (options.preferPositive && options.serveStale === null) {
    throw tokens.error("serve_stale_policy needs serve_stale (add it, or remove the policy)");
  }
  checkKeep(options, controller);
  checkSearchCut(options, controller);
  return options;
}

function readOptions(options: CacheOptions, controller: Controller): void {
  const { tokens } = controller;
  tokens.options({
    success: (name) => readClass(controller, name, options.success),
    denial: (name) => readClass(controller, name, options.denial),
    prefetch: () => readPrefetch(tokens, options.prefetch),
    serve_stale: () => options.serveStale = readServeStale(tokens),
    serve_stale_policy: () => {
      if (options.preferPositive) {
        throw tokens.error('"serve_stale_policy" appears twice in this block (remove one)');
      }
      const policy = tokens.oneArg("prefer_positive");
      if (policy.toLowerCase() !== "prefer_positive") {
        throw tokens.error(`serve_stale_policy: unknown policy ${quote(policy)} (prefer_positive)`);
      }
      options.preferPositive = true;
    },
    servfail: () => {
      options.servfailMs = readDuration(tokens, tokens.oneArg("DURATION"), SERVFAIL);
    },
    disable: () => {
      const [which, ...names] = tokens.someArgs("success|denial [ZONES...]");
      if (which !== "success" && which !== "denial") {
        throw tokens.error(`disable: unknown class ${quote(which)} (success or denial)`);
      }
      options.disable[which] = readZones(tokens, names, ["."]);
    },
    keepttl: () => options.keepTtl = true,
    capacity_bytes: () => options.capacityBytes = readCapacityBytes(tokens),
    keep_on_change: () => options.keepOnChange = true,
    persist: () => options.persist = readPersist(controller),
    keep: () => readKeep(tokens, options.keep ??= []),
    search_cut: () => readSearchCut(tokens, options.searchCut ??= []),
  });
}

function readClass(
  { tokens, warn }: Controller,
  name: string,
  target: CacheClassOptions,
): void {
  const { line } = tokens.place;
  const [capacity, ttl, minTtl] = tokens.someArgs("CAPACITY [TTL] [MINTTL]", 3);
  const asked = readInteger(tokens, capacity!, { ...CAPACITY, name: `${name} CAPACITY` });
  // As in CoreDNS, for equal hit ratios.
  if (asked < CAPACITY.least && ttl === undefined) {
    const what = `${name} CAPACITY: ${asked} entries count as ${CAPACITY.least}, the minimum`;
    warn(line, `${what} (if ${asked} is a TTL: ${name} ${CAPACITY.default} ${asked})`);
  }
  target.capacity = Math.max(asked, CAPACITY.least);
  if (ttl !== undefined) {
    target.maxTtlSeconds = readInteger(tokens, ttl, { ...TTL, name: `${name} TTL` });
  }
  if (minTtl !== undefined) {
    target.minTtlSeconds = readInteger(tokens, minTtl, { ...MIN_TTL, name: `${name} MINTTL` });
  }
}

function readPrefetch(tokens: Dispenser, target: CacheOptions["prefetch"]): void {
  const args = tokens.someArgs("AMOUNT [[DURATION] [PERCENTAGE%]]", 3);
  const [amount, duration, percentage] = args;
  target.amount = readInteger(tokens, amount!, PREFETCH.amount);
  if (duration !== undefined) {
    target.durationMs = readDuration(tokens, duration, PREFETCH.duration);
  }
  if (percentage === undefined) return;
  if (!percentage.endsWith("%")) {
    throw tokens.error(
      `${PREFETCH.percentage.name}: ${quote(percentage)} has no percent sign (10% to 90%)`,
    );
  }
  target.percentage = readInteger(tokens, percentage.slice(0, -1), PREFETCH.percentage);
}

function readCapacityBytes(tokens: Dispenser): number {
  const text = tokens.oneArg("SIZE");
  const [, digits, unit = "", binary] = /^([0-9]{1,15})(?:([KMG])(i?))?$/.exec(text) ?? [];
  if (digits === undefined) {
    const remedy = "(write 64Mi, 64M or 67108864)";
    throw tokens.error(`capacity_bytes: ${quote(text)} is not a size ${remedy}`);
  }
  const base = binary === "i" ? 1024 : 1000;
  const value = Number(digits) * base ** ["", "K", "M", "G"].indexOf(unit);
  if (value < CAPACITY_BYTES.min || value > CAPACITY_BYTES.max) {
    throw tokens.error(`capacity_bytes: ${quote(text)} is out of range (1Mi to 16Gi)`);
  }
  return value;
}

function readPersist(
  { tokens, host, resolvePath, warn }: Controller,
): NonNullable<CacheOptions["persist"]> {
  const [path, interval] = tokens.someArgs("FILE [INTERVAL]", 2);
  const intervalMs = interval === undefined
    ? INTERVAL.default
    : readDuration(tokens, interval, INTERVAL);
  const file = resolvePath(path!);
  const folder = file.replace(/\/[^/]*$/, "") || "/";
  if (host.kindOf(folder) !== "directory") {
    const what = `persist: ${quote(folder)} is not a folder, so nothing is persisted`;
    warn(tokens.place.line, `${what} (create it, or name another one)`);
  }
  return { file, intervalMs };
}
