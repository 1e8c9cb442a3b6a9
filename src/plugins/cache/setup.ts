import type { Dispenser } from "../../corefile/dispenser.ts";
import { suggestion } from "../../corefile/nearest.ts";
import { readDuration, readInteger } from "../../corefile/values.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import type { CacheClassOptions, CacheOptions } from "./options.ts";

/** Bounds and defaults of CoreDNS's README; the upper ends are what a row of the table can hold. */
const CAPACITY = { default: 9984, min: 1, max: 100_000_000 } as const;
const TTL = { success: 3600, denial: 1800, min: 1, max: 2_147_483_647 } as const;
const MIN_TTL = { default: 5, min: 0, max: 2_147_483_647 } as const;
const PREFETCH = {
  amount: { name: "prefetch amount", min: 0, max: 2_147_483_647 },
  duration: { name: "prefetch duration", default: 60_000, min: 0, max: 86_400_000 },
  percentage: { name: "prefetch percentage", default: 10, min: 10, max: 90 },
} as const;
/** RFC 2308 section 7.1: a server failure is kept for five minutes at most. */
const SERVFAIL = { name: "servfail", default: 5000, min: 0, max: 300_000 } as const;

const OPTIONS = [
  "success",
  "denial",
  "prefetch",
  "serve_stale",
  "serve_stale_policy",
  "servfail",
  "disable",
  "keepttl",
];

/** Reads `cache [TTL] [ZONES...] { … }`. */
export const cacheSetup: PluginSetup = {
  name: "cache",
  setup({ tokens, zones, addHandler }) {
    tokens.nextDirective();
    const args = tokens.remainingArgs();
    let ttl: number | null = null;
    if (args.length > 0 && /^[+-]?[0-9]+$/.test(args[0]!)) {
      ttl = readInteger(tokens, args.shift()!, { name: "TTL", min: TTL.min, max: TTL.max });
    }
    const options: CacheOptions = {
      zones: args.length > 0 ? readZones(tokens, args) : [...zones],
      success: {
        capacity: CAPACITY.default,
        maxTtlSeconds: ttl ?? TTL.success,
        minTtlSeconds: MIN_TTL.default,
      },
      denial: {
        capacity: CAPACITY.default,
        maxTtlSeconds: ttl ?? TTL.denial,
        minTtlSeconds: MIN_TTL.default,
      },
      prefetch: {
        amount: 0,
        durationMs: PREFETCH.duration.default,
        percentage: PREFETCH.percentage.default,
      },
      servfailMs: SERVFAIL.default,
      disable: { success: [], denial: [] },
      keepTtl: false,
    };
    tokens.eachInBlock((option) => readOption(tokens, option, options));
    if (tokens.nextDirective()) throw tokens.error("stands twice in this block (merge them)");
    addHandler(options);
  },
};

function readOption(tokens: Dispenser, option: string, options: CacheOptions): void {
  switch (option) {
    case "success":
    case "denial":
      readClass(tokens, option, options[option]);
      break;
    case "prefetch":
      readPrefetch(tokens, options);
      break;
    case "servfail":
      options.servfailMs = readDuration(tokens, tokens.oneArg("DURATION"), SERVFAIL);
      break;
    case "disable": {
      const [which, ...names] = tokens.someArgs("success|denial [ZONES...]");
      if (which !== "success" && which !== "denial") {
        throw tokens.error(`disable: "${which}" is no class (write success or denial)`);
      }
      options.disable[which] = names.length > 0 ? readZones(tokens, names) : ["."];
      break;
    }
    case "keepttl":
      options.keepTtl = true;
      break;
    case "serve_stale":
    case "serve_stale_policy":
      throw tokens.error(`"${option}" is not supported yet (take it out to go on without)`);
    default:
      throw tokens.error(`unknown option "${option}"${suggestion(option, OPTIONS)}`);
  }
}

function readClass(tokens: Dispenser, name: string, target: CacheClassOptions): void {
  const [capacity, ttl, minTtl] = tokens.someArgs("CAPACITY [TTL] [MINTTL]");
  target.capacity = readInteger(tokens, capacity!, { ...CAPACITY, name: `${name} capacity` });
  if (ttl !== undefined) {
    target.maxTtlSeconds = readInteger(tokens, ttl, { ...TTL, name: `${name} TTL` });
  }
  if (minTtl !== undefined) {
    target.minTtlSeconds = readInteger(tokens, minTtl, { ...MIN_TTL, name: `${name} MINTTL` });
  }
}

function readPrefetch(tokens: Dispenser, options: CacheOptions): void {
  const args = tokens.someArgs("AMOUNT [[DURATION] [PERCENTAGE%]]");
  const [amount, duration, percentage] = args;
  if (args.length > 3) throw tokens.error("prefetch takes at most three arguments");
  const { prefetch } = options;
  prefetch.amount = readInteger(tokens, amount!, PREFETCH.amount);
  if (duration !== undefined) {
    prefetch.durationMs = readDuration(tokens, duration, PREFETCH.duration);
  }
  if (percentage === undefined) return;
  if (!percentage.endsWith("%")) {
    throw tokens.error(`prefetch: "${percentage}" is no percentage (write ${percentage}%)`);
  }
  prefetch.percentage = readInteger(tokens, percentage.slice(0, -1), PREFETCH.percentage);
}
