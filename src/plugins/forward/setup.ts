import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration, readInteger } from "../../corefile/values.ts";
import { parseAddress } from "../../dns/address.ts";
import { RCODE_NAMES, rcodeNumber } from "../../dns/mnemonics.ts";
import { normalizeZone } from "../../dns/zone.ts";
import type { Controller, PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import type { ForwardOptions, ForwardPolicy } from "./options.ts";
import { readUpstreams } from "./to.ts";

/** Defaults and lower bounds are CoreDNS's. */
const DURATIONS = {
  expire: { name: "expire", default: 10_000, min: 0, max: MAX_DURATION_MS },
  readTimeout: { name: "read_timeout", default: 2000, min: 1, max: MAX_DURATION_MS },
  healthCheck: { name: "health_check", default: 500, min: 0, max: MAX_DURATION_MS },
} as const;
const COUNTS = {
  maxFails: { name: "max_fails", default: 2, min: 0, max: 4_294_967_295 },
  maxConnectAttempts: { name: "max_connect_attempts", min: 0, max: 4_294_967_295 },
  maxIdleConns: { name: "max_idle_conns", default: 0, min: 0, max: 2_147_483_647 },
  maxConcurrent: { name: "max_concurrent", default: 0, min: 0, max: 2_147_483_647 },
} as const;
const POLICIES: readonly ForwardPolicy[] = ["random", "round_robin", "sequential"];

/** Options by name, each with what reads the rest of its line. */
const OPTIONS: Readonly<Record<string, (tokens: Dispenser, options: ForwardOptions) => void>> = {
  except: (tokens, options) =>
    options.except.push(...readZones(tokens, tokens.someArgs("ZONES..."))),
  force_tcp: (_, options) => options.forceTcp = true,
  prefer_udp: (_, options) => options.preferUdp = true,
  expire: (tokens, options) =>
    options.expireMs = readDuration(tokens, tokens.oneArg("DURATION"), DURATIONS.expire),
  max_idle_conns: (tokens, options) =>
    options.maxIdleConns = readInteger(tokens, tokens.oneArg("INTEGER"), COUNTS.maxIdleConns),
  read_timeout: (tokens, options) =>
    options.readTimeoutMs = readDuration(
      tokens,
      tokens.oneArg("DURATION"),
      DURATIONS.readTimeout,
    ),
  max_fails: (tokens, options) =>
    options.maxFails = readInteger(tokens, tokens.oneArg("INTEGER"), COUNTS.maxFails),
  max_connect_attempts: (tokens, options) =>
    options.maxConnectAttempts = readInteger(
      tokens,
      tokens.oneArg("INTEGER"),
      COUNTS.maxConnectAttempts,
    ),
  policy: readPolicy,
  health_check: readHealthCheck,
  max_concurrent: (tokens, options) =>
    options.maxConcurrent = readInteger(tokens, tokens.oneArg("MAX"), COUNTS.maxConcurrent),
  next: (tokens, options) => options.next.push(...readRcodes(tokens)),
  next_on_nodata: (_, options) => options.nextOnNodata = true,
  failfast_all_unhealthy_upstreams: (_, options) => options.failfastAllUnhealthyUpstreams = true,
  failover: readFailover,
  source_address: readSourceAddress,
  doh_method: refuse,
  max_age: refuse,
  resolver: refuse,
  tls: refuse,
  tls_servername: refuse,
};

/** Reads `forward FROM TO... { … }`; several uses make several handlers, in their order. */
export const forwardSetup: PluginSetup = {
  name: "forward",
  setup(controller) {
    controller.tokens.eachUse(() => controller.addHandler(readForward(controller)));
  },
};

function readForward({ tokens, host, warn }: Controller): ForwardOptions {
  const { line } = tokens.place;
  if (!tokens.nextArg()) {
    throw tokens.error("it needs a zone and an upstream (forward . 10.0.0.10)");
  }
  const from = tokens.value;
  const zones = readZones(tokens, [from]);
  if (zones.length > 1) {
    warn(line, `${quote(from)} stands for ${zones.length} zones; only ${zones[0]} is forwarded`);
  }
  const options: ForwardOptions = {
    from: zones[0]!,
    except: [],
    to: [],
    upstreams: [],
    resolvConfOptions: [],
    resolvers: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: DURATIONS.expire.default,
    maxAgeMs: 0,
    maxIdleConns: COUNTS.maxIdleConns.default,
    readTimeoutMs: DURATIONS.readTimeout.default,
    maxFails: COUNTS.maxFails.default,
    maxConnectAttempts: null,
    policy: "random",
    hedgeMs: null,
    healthCheck: {
      intervalMs: DURATIONS.healthCheck.default,
      recursionDesired: true,
      domain: ".",
    },
    tls: { certFile: null, keyFile: null, caFile: null },
    dohMethod: "POST",
    mixedCase: false,
    cookies: true,
    ecsPass: false,
    maxConcurrent: COUNTS.maxConcurrent.default,
    next: [],
    nextOnNodata: false,
    failfastAllUnhealthyUpstreams: false,
    failover: [],
    sourceAddress: null,
  };
  // The options first: a fault in TO must not hide theirs.
  const to = tokens.remainingArgs();
  tokens.eachInBlock((option) => {
    const read = Object.hasOwn(OPTIONS, option) ? OPTIONS[option] : undefined;
    if (read === undefined) {
      throw tokens.error(
        `unknown option ${quote(option)}${didYouMean(option, Object.keys(OPTIONS))}`,
      );
    }
    read(tokens, options);
  });
  options.upstreams = readUpstreams(tokens, to, { host, warn: (text) => warn(line, text) });
  return options;
}

function refuse(tokens: Dispenser): never {
  throw tokens.error(`option "${tokens.value}" is not supported yet (take it out)`);
}

function readPolicy(tokens: Dispenser, options: ForwardOptions): void {
  const text = tokens.oneArg(POLICIES.join("|"));
  const policy = POLICIES.find((name) => name === text);
  if (policy === undefined) {
    const hint = didYouMean(text, POLICIES) || ` (${POLICIES.join(", ")})`;
    throw tokens.error(`policy: unknown policy ${quote(text)}${hint}`);
  }
  options.policy = policy;
}

function readHealthCheck(tokens: Dispenser, options: ForwardOptions): void {
  const usage = "DURATION [no_rec] [domain NAME]";
  const [interval, ...words] = tokens.someArgs(usage);
  const check = options.healthCheck;
  check.intervalMs = readDuration(tokens, interval!, DURATIONS.healthCheck);
  check.domain = ".";
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "no_rec") {
      check.recursionDesired = false;
    } else if (word === "domain") {
      const name = words.shift();
      if (name === undefined) {
        throw tokens.error(`health_check: "domain" needs a name (health_check ${usage})`);
      }
      try {
        check.domain = normalizeZone(name);
      } catch (error) {
        throw tokens.error(`health_check: ${(error as Error).message}`);
      }
    } else {
      const hint = didYouMean(word, ["no_rec", "domain"]) || ` (health_check ${usage})`;
      throw tokens.error(`health_check: unknown word ${quote(word)}${hint}`);
    }
  }
}

function readRcodes(tokens: Dispenser): number[] {
  const option = tokens.value;
  return tokens.someArgs("RCODE...").map((text) => {
    const rcode = rcodeNumber(text);
    if (rcode === null) {
      const hint = didYouMean(text, RCODE_NAMES) || " (NXDOMAIN, SERVFAIL, …)";
      throw tokens.error(`${option}: ${quote(text)} is no response code${hint}`);
    }
    return rcode;
  });
}

function readFailover(tokens: Dispenser, options: ForwardOptions): void {
  const rcodes = readRcodes(tokens);
  if (rcodes.includes(0)) {
    throw tokens.error("failover: NOERROR is no failure (name codes like SERVFAIL)");
  }
  options.failover.push(...rcodes);
}

function readSourceAddress(tokens: Dispenser, options: ForwardOptions): void {
  const text = tokens.oneArg("IP");
  if (parseAddress(text) === null) {
    throw tokens.error(`source_address: ${quote(text)} is no IP address`);
  }
  options.sourceAddress = text;
}
