import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration, readInteger } from "../../corefile/values.ts";
import { parseAddress } from "../../dns/address.ts";
import { RCODE_NAMES, rcodeNumber } from "../../dns/mnemonics.ts";
import { normalizeZone } from "../../dns/zone.ts";
import { readZones } from "../zones_argument.ts";
import {
  type Endpoint,
  parseEndpoint,
  parseServerName,
  TRANSPORT_PORTS,
} from "../../upstream/endpoint.ts";
import type { Policy } from "../../upstream/options.ts";
import type { ForwardOptions } from "./options.ts";

/** Durations of options. Defaults and lower bounds are CoreDNS's where it has the option. */
export const DURATIONS = {
  expire: { name: "expire", default: 10_000, min: 0, max: MAX_DURATION_MS },
  maxAge: { name: "max_age", default: 0, min: 0, max: MAX_DURATION_MS },
  readTimeout: { name: "read_timeout", min: 1, max: MAX_DURATION_MS },
  healthCheck: { name: "health_check", default: 500, min: 0, max: MAX_DURATION_MS },
  // Shorter than the clock is read, a hedge would be a second query every time.
  hedge: { name: "hedge", min: 1, max: MAX_DURATION_MS },
} as const;
/** Numbers of options; defaults and bounds are CoreDNS's. */
export const COUNTS = {
  maxFails: { name: "max_fails", default: 2, min: 0, max: 4_294_967_295 },
  maxConnectAttempts: { name: "max_connect_attempts", min: 0, max: 4_294_967_295 },
  maxConnections: { name: "max_conns", min: 1, max: 4096 },
  maxIdleConns: { name: "max_idle_conns", default: 0, min: 0, max: 2_147_483_647 },
  maxConcurrent: { name: "max_concurrent", default: 0, min: 0, max: 2_147_483_647 },
} as const;
const POLICIES: readonly Policy[] = ["random", "round_robin", "sequential", "fastest"];
const DOH_METHODS: readonly ForwardOptions["dohMethod"][] = ["GET", "POST"];

/** What reading an option needs, and what is known only when all of them are read. */
export interface OptionContext {
  readonly tokens: Dispenser;
  readonly host: HostView;
  /** Absolute path of a file, relative to the block's `root`. */
  readonly resolvePath: (path: string) => string;
  readonly warn: (line: number, text: string) => void;
  /** Of `tls_servername`; empty if it is not set. */
  tlsServerName: string;
}

/** Options by name, each with what reads the rest of its line. */
export const OPTIONS: Readonly<
  Record<string, (context: OptionContext, options: ForwardOptions) => void>
> = {
  except: ({ tokens }, options) =>
    options.except.push(...readZones(tokens, tokens.someArgs("ZONES..."))),
  force_tcp: (_, options) => options.forceTcp = true,
  prefer_udp: (_, options) => options.preferUdp = true,
  expire: ({ tokens }, options) =>
    options.expireMs = readDuration(tokens, tokens.oneArg("DURATION"), DURATIONS.expire),
  max_age: ({ tokens }, options) =>
    options.maxAgeMs = readDuration(tokens, tokens.oneArg("DURATION"), DURATIONS.maxAge),
  max_conns: ({ tokens }, options) =>
    options.maxConnections = readInteger(tokens, tokens.oneArg("INTEGER"), COUNTS.maxConnections),
  max_idle_conns: ({ tokens }, options) =>
    options.maxIdleConns = readInteger(tokens, tokens.oneArg("INTEGER"), COUNTS.maxIdleConns),
  read_timeout: ({ tokens }, options) =>
    options.readTimeoutMs = readDuration(
      tokens,
      tokens.oneArg("DURATION"),
      DURATIONS.readTimeout,
    ),
  max_fails: ({ tokens }, options) =>
    options.maxFails = readInteger(tokens, tokens.oneArg("INTEGER"), COUNTS.maxFails),
  max_connect_attempts: ({ tokens }, options) =>
    options.maxConnectAttempts = readInteger(
      tokens,
      tokens.oneArg("INTEGER"),
      COUNTS.maxConnectAttempts,
    ),
  tls: readTls,
  tls_servername: readTlsServerName,
  doh_method: ({ tokens }, options) => options.dohMethod = readWord(tokens, DOH_METHODS),
  policy: ({ tokens }, options) => options.policy = readWord(tokens, POLICIES),
  hedge: readHedge,
  x20: (_, options) => options.mixedCase = true,
  ecs: ({ tokens }, options) => options.ecsPass = readWord(tokens, ["pass"]) === "pass",
  no_cookies: (_, options) => options.cookies = false,
  health_check: readHealthCheck,
  max_concurrent: ({ tokens }, options) =>
    options.maxConcurrent = readInteger(tokens, tokens.oneArg("MAX"), COUNTS.maxConcurrent),
  next: ({ tokens }, options) => options.next.push(...readRcodes(tokens)),
  next_on_nodata: (_, options) => options.nextOnNodata = true,
  failfast_all_unhealthy_upstreams: (_, options) => options.failfastAllUnhealthyUpstreams = true,
  failover: readFailover,
  source_address: readSourceAddress,
  resolver: readResolvers,
};

/** The option's only argument, which must be one of `words`. */
function readWord<Word extends string>(tokens: Dispenser, words: readonly Word[]): Word {
  const option = tokens.value;
  const text = tokens.oneArg(words.join("|"));
  const word = words.find((known) => known === text);
  if (word === undefined) {
    const hint = didYouMean(text, words) || ` (${words.join(", ")})`;
    throw tokens.error(`${option}: unknown word ${quote(text)}${hint}`);
  }
  return word;
}

function readTls(
  { tokens, host, resolvePath, warn }: OptionContext,
  options: ForwardOptions,
): void {
  const { file, line } = tokens.place;
  const texts = tokens.remainingArgs();
  if (texts.length > 3) {
    throw tokens.error(`too many arguments for "tls": ${quote(texts[3]!)} (tls [CERT KEY] [CA])`);
  }
  const folder = host.absolute(file).replace(/\/[^/]*$/, "");
  const paths = texts.map((text) => {
    if (text === "") throw tokens.error("tls: the name of a file is empty (tls [CERT KEY] [CA])");
    const elsewhere = resolvePath(text);
    const rooted = elsewhere !== host.absolute(text);
    const path = text.startsWith("/") || rooted ? elsewhere : `${folder}/${text}`;
    if (host.kindOf(path) === "file") return path;
    // Where CoreDNS looks.
    if (host.kindOf(elsewhere) === "file") return elsewhere;
    const kind = host.kindOf(path);
    if (kind === "other") throw tokens.error(`tls: ${quote(path)} is not a regular file`);
    const what = kind === null ? "does not exist (yet)" : "is a directory";
    warn(line, `tls: file ${quote(path)} ${what}`);
    return path;
  });
  const caFile = paths.length % 2 === 1 ? paths.at(-1)! : null;
  const [certFile = null, keyFile = null] = paths.length >= 2 ? paths : [];
  options.tls = { certFile, keyFile, caFile };
}

function readTlsServerName(context: OptionContext): void {
  const { tokens } = context;
  const text = tokens.oneArg("NAME");
  try {
    context.tlsServerName = parseServerName(text);
  } catch (error) {
    throw tokens.error(`tls_servername: ${(error as Error).message}`);
  }
}

function readHedge({ tokens }: OptionContext, options: ForwardOptions): void {
  const [text = "auto", ...more] = tokens.remainingArgs();
  if (more.length > 0) {
    throw tokens.error(
      `too many arguments for "hedge": ${quote(more[0]!)} (hedge [DURATION|auto])`,
    );
  }
  const hint = text === "auto" ? "" : didYouMean(text, ["auto"]);
  if (hint !== "") throw tokens.error(`hedge: unknown word ${quote(text)}${hint}`);
  options.hedgeMs = text === "auto" ? "auto" : readDuration(tokens, text, DURATIONS.hedge);
}

function readHealthCheck({ tokens }: OptionContext, options: ForwardOptions): void {
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

function readFailover({ tokens }: OptionContext, options: ForwardOptions): void {
  const rcodes = readRcodes(tokens);
  if (rcodes.includes(0)) {
    throw tokens.error("failover: NOERROR is no failure (name codes like SERVFAIL)");
  }
  options.failover.push(...rcodes);
}

function readSourceAddress({ tokens }: OptionContext, options: ForwardOptions): void {
  const text = tokens.oneArg("IP");
  if (parseAddress(text) === null) {
    throw tokens.error(`source_address: ${quote(text)} is no IP address`);
  }
  options.sourceAddress = text;
}

/** As in CoreDNS the last `resolver` counts. */
function readResolvers({ tokens }: OptionContext, options: ForwardOptions): void {
  options.resolvers = tokens.someArgs("IP[:PORT]...").map((text) => {
    let endpoint: Endpoint | null = null;
    try {
      if (!text.includes("/")) endpoint = parseEndpoint(text, "dns");
    } catch (error) {
      throw tokens.error(`resolver: ${quote(text)}: ${(error as Error).message}`);
    }
    if (!endpoint?.isAddress) {
      throw tokens.error(`resolver: ${quote(text)} is no IP address (10.0.0.10, [::1]:1053)`);
    }
    return { address: endpoint.host, port: endpoint.port ?? TRANSPORT_PORTS.dns };
  });
}
