import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration, readInteger } from "../../corefile/values.ts";
import { parseAddress } from "../../dns/address.ts";
import { RCODE_NAMES, rcodeNumber } from "../../dns/mnemonics.ts";
import { normalizeZone } from "../../dns/zone.ts";
import { parseEndpoint, parseServerName, TRANSPORT_PORTS } from "../../upstream/endpoint.ts";
import { readZones } from "../zones_argument.ts";
import type { ForwardOptions } from "./options.ts";
import { UNSET } from "./resolve_to.ts";
import { parsed } from "./to.ts";

/** Below the clock's resolution, a hedge would always be sent. */
const HEDGE = { name: "hedge", min: 1, max: MAX_DURATION_MS } as const;
const HEALTH_CHECK = { name: "health_check", min: 0, max: MAX_DURATION_MS } as const;
const HEALTH_CHECK_USAGE = "DURATION [no_rec] [domain NAME]";

/** Input of option readers. */
export interface OptionContext {
  readonly tokens: Dispenser;
  readonly host: HostView;
  readonly resolvePath: (path: string) => string;
  readonly warn: (line: number, text: string) => void;
  /** Of `tls_servername`; empty if not set. */
  tlsServerName: string;
}

type ReadOption = (context: OptionContext, options: ForwardOptions) => void;
type FieldOf<Value> = keyof {
  [Field in keyof ForwardOptions as Value extends ForwardOptions[Field] ? Field : never]: Value;
};

const flag = (field: FieldOf<boolean>, value = true): ReadOption => (_, options) => {
  options[field] = value;
};
const duration = (field: FieldOf<number>, name: string, min: number): ReadOption => {
  const bounds = { name, min, max: MAX_DURATION_MS };
  return ({ tokens }, options) => {
    options[field] = readDuration(tokens, tokens.oneArg("DURATION"), bounds);
  };
};
const integer = (
  field: FieldOf<number>,
  bounds: { name: string; min: number; max: number },
  usage = "INTEGER",
): ReadOption =>
({ tokens }, options) => {
  options[field] = readInteger(tokens, tokens.oneArg(usage), bounds);
};

/** Bounds as in CoreDNS. */
export const OPTIONS: Readonly<Record<string, ReadOption>> = {
  except: ({ tokens }, options) =>
    options.except.push(...readZones(tokens, tokens.someArgs("ZONES..."))),
  force_tcp: flag("forceTcp"),
  prefer_udp: flag("preferUdp"),
  expire: duration("expireMs", "expire", 0),
  max_age: duration("maxAgeMs", "max_age", 0),
  max_conns: integer("maxConnections", { name: "max_conns", min: 1, max: 4096 }),
  max_idle_conns: integer("maxIdleConns", { name: "max_idle_conns", min: 0, max: 2 ** 31 - 1 }),
  read_timeout: duration("readTimeoutMs", "read_timeout", 1),
  max_fails: integer("maxFails", { name: "max_fails", min: 0, max: 2 ** 32 - 1 }),
  max_connect_attempts: integer("maxConnectAttempts", {
    name: "max_connect_attempts",
    min: 0,
    max: 2 ** 32 - 1,
  }),
  tls: readTls,
  tls_servername: (context) => {
    const { tokens } = context;
    const text = tokens.oneArg("NAME");
    context.tlsServerName = parsed(tokens, "tls_servername", () => parseServerName(text));
  },
  doh_method: ({ tokens }, options) => options.dohMethod = readWord(tokens, ["GET", "POST"]),
  policy: ({ tokens }, options) =>
    options.policy = readWord(tokens, ["random", "round_robin", "sequential", "fastest"]),
  hedge: readHedge,
  x20: flag("mixedCase"),
  ecs: ({ tokens }, options) => options.ecsPass = readWord(tokens, ["pass"]) === "pass",
  no_cookies: flag("cookies", false),
  health_check: readHealthCheck,
  max_concurrent: integer(
    "maxConcurrent",
    { name: "max_concurrent", min: 0, max: 2 ** 31 - 1 },
    "MAX",
  ),
  next: ({ tokens }, options) => options.next.push(...readRcodes(tokens)),
  next_on_nodata: flag("nextOnNodata"),
  failfast_all_unhealthy_upstreams: flag("failfastAllUnhealthyUpstreams"),
  failover: readFailover,
  source_address: readSourceAddress,
  resolver: readResolvers,
};

/** CoreDNS's defaults. */
export function defaultOptions(from: string): ForwardOptions {
  return {
    from,
    except: [],
    to: [],
    upstreams: [],
    resolvConfOptions: [],
    resolvers: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxConnections: null,
    maxIdleConns: 0,
    readTimeoutMs: UNSET.readTimeoutMs,
    maxFails: 2,
    maxConnectAttempts: UNSET.maxConnectAttempts,
    policy: UNSET.policy,
    hedgeMs: null,
    healthCheck: { intervalMs: 500, recursionDesired: true, domain: "." },
    tls: { certFile: null, keyFile: null, caFile: null },
    dohMethod: "POST",
    mixedCase: false,
    cookies: true,
    ecsPass: false,
    maxConcurrent: 0,
    next: [],
    nextOnNodata: false,
    failfastAllUnhealthyUpstreams: false,
    failover: [],
    sourceAddress: null,
  };
}

function readWord<Word extends string>(tokens: Dispenser, words: readonly Word[]): Word {
  const option = tokens.value;
  return tokens.choose(tokens.oneArg(words.join("|")), words, `${option}: unknown word`);
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
    const kind = host.kindOf(path);
    if (kind === "file") return path;
    // Same fallback as CoreDNS.
    if (host.kindOf(elsewhere) === "file") return elsewhere;
    if (kind === "other") throw tokens.error(`tls: ${quote(path)} is not a regular file`);
    const what = kind === null ? "does not exist (yet)" : "is a directory";
    warn(line, `tls: file ${quote(path)} ${what}`);
    return path;
  });
  const caFile = paths.length % 2 === 1 ? paths.at(-1)! : null;
  const [certFile = null, keyFile = null] = paths.length >= 2 ? paths : [];
  options.tls = { certFile, keyFile, caFile };
}

function readHedge({ tokens }: OptionContext, options: ForwardOptions): void {
  const [text = "auto", extra] = tokens.remainingArgs();
  if (extra !== undefined) {
    throw tokens.error(`too many arguments for "hedge": ${quote(extra)} (hedge [DURATION|auto])`);
  }
  const hint = text === "auto" ? "" : didYouMean(text, ["auto"]);
  if (hint !== "") throw tokens.error(`hedge: unknown word ${quote(text)}${hint}`);
  options.hedgeMs = text === "auto" ? "auto" : readDuration(tokens, text, HEDGE);
}

function readHealthCheck({ tokens }: OptionContext, options: ForwardOptions): void {
  const [interval, ...words] = tokens.someArgs(HEALTH_CHECK_USAGE);
  const check = options.healthCheck;
  check.intervalMs = readDuration(tokens, interval!, HEALTH_CHECK);
  check.domain = ".";
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "no_rec") {
      check.recursionDesired = false;
    } else if (word === "domain") {
      const name = words.shift();
      if (name === undefined) {
        throw tokens.error(
          `health_check: "domain" needs a name (health_check ${HEALTH_CHECK_USAGE})`,
        );
      }
      check.domain = parsed(tokens, "health_check", () => normalizeZone(name));
    } else {
      const usage = ` (health_check ${HEALTH_CHECK_USAGE})`;
      const hint = didYouMean(word, ["no_rec", "domain"]) || usage;
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
      throw tokens.error(`${option}: ${quote(text)} is not a response code${hint}`);
    }
    return rcode;
  });
}

function readFailover({ tokens }: OptionContext, options: ForwardOptions): void {
  const rcodes = readRcodes(tokens);
  if (rcodes.includes(0)) {
    throw tokens.error("failover: NOERROR is not a failure (name codes like SERVFAIL)");
  }
  options.failover.push(...rcodes);
}

function readSourceAddress({ tokens }: OptionContext, options: ForwardOptions): void {
  const text = tokens.oneArg("IP");
  if (parseAddress(text) === null) {
    throw tokens.error(`source_address: ${quote(text)} is not an IP address`);
  }
  options.sourceAddress = text;
}

/** The last `resolver` counts, as in CoreDNS. */
function readResolvers({ tokens }: OptionContext, options: ForwardOptions): void {
  options.resolvers = tokens.someArgs("IP[:PORT]...").map((text) => {
    const endpoint = text.includes("/")
      ? null
      : parsed(tokens, `resolver: ${quote(text)}`, () => parseEndpoint(text, "dns"));
    if (!endpoint?.isAddress) {
      throw tokens.error(`resolver: ${quote(text)} is not an IP address (10.0.0.10, [::1]:1053)`);
    }
    return { address: endpoint.host, port: endpoint.port ?? TRANSPORT_PORTS.dns };
  });
}
