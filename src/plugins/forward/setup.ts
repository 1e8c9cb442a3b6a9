import type { Dispenser } from "../../corefile/dispenser.ts";
import { suggestion } from "../../corefile/nearest.ts";
import { readDuration, readInteger } from "../../corefile/values.ts";
import { normalizeZone } from "../../config/zone_key.ts";
import { parseAddress } from "../../dns/address.ts";
import { RCODE_NAMES, rcodeNumber } from "../../dns/mnemonics.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import type { ForwardOptions, ForwardPolicy } from "./options.ts";
import { readUpstreams } from "./to.ts";

/** Defaults are CoreDNS's; an hour is more than any of these times can sensibly be. */
const DURATIONS = {
  expire: { name: "expire", default: 10_000, min: 0, max: 3_600_000 },
  read_timeout: { name: "read_timeout", default: 2000, min: 1, max: 3_600_000 },
  health_check: { name: "health_check", default: 500, min: 0, max: 3_600_000 },
} as const;
const COUNTS = {
  max_fails: { name: "max_fails", default: 2, min: 0, max: 4_294_967_295 },
  max_connect_attempts: { name: "max_connect_attempts", min: 0, max: 4_294_967_295 },
  max_idle_conns: { name: "max_idle_conns", default: 0, min: 0, max: 2_147_483_647 },
  max_concurrent: { name: "max_concurrent", default: 0, min: 0, max: 2_147_483_647 },
} as const;
const POLICIES: readonly ForwardPolicy[] = ["random", "round_robin", "sequential"];
const LATER = ["tls", "tls_servername", "doh_method", "resolver", "max_age"];
const OPTIONS = [
  "except",
  "force_tcp",
  "prefer_udp",
  "policy",
  "next",
  "next_on_nodata",
  "failfast_all_unhealthy_upstreams",
  "failover",
  "source_address",
  ...Object.keys(DURATIONS),
  ...Object.keys(COUNTS),
  ...LATER,
];

/** Reads `forward FROM TO... { … }`; several lines make several handlers, in their order. */
export const forwardSetup: PluginSetup = {
  name: "forward",
  setup({ tokens, host, addHandler, warn }) {
    while (tokens.nextDirective()) {
      const { line } = tokens.place;
      const [from, ...to] = tokens.remainingArgs();
      if (from === undefined || to.length === 0) {
        throw tokens.error("needs a zone and at least one upstream (forward . 10.0.0.10)");
      }
      const zones = readZones(tokens, [from]);
      if (zones.length > 1) {
        warn(line, `"${from}" stands for several zones; only "${zones[0]}" is forwarded`);
      }
      const options: ForwardOptions = {
        from: zones[0]!,
        except: [],
        upstreams: readUpstreams(tokens, to, host),
        forceTcp: false,
        preferUdp: false,
        expireMs: DURATIONS.expire.default,
        maxIdleConns: COUNTS.max_idle_conns.default,
        readTimeoutMs: DURATIONS.read_timeout.default,
        maxFails: COUNTS.max_fails.default,
        maxConnectAttempts: null,
        policy: "random",
        healthCheck: {
          intervalMs: DURATIONS.health_check.default,
          recursionDesired: true,
          domain: ".",
        },
        maxConcurrent: COUNTS.max_concurrent.default,
        next: [],
        nextOnNodata: false,
        failfastAllUnhealthyUpstreams: false,
        failover: [],
        sourceAddress: null,
      };
      tokens.eachInBlock((option) => readOption(tokens, option, options));
      addHandler(options);
    }
  },
};

function readOption(tokens: Dispenser, option: string, options: ForwardOptions): void {
  const duration = (bounds: { name: string; min: number; max: number }) =>
    readDuration(tokens, tokens.oneArg("DURATION"), bounds);
  const count = (bounds: { name: string; min: number; max: number }) =>
    readInteger(tokens, tokens.oneArg("NUMBER"), bounds);
  switch (option) {
    case "except":
      options.except.push(...readZones(tokens, tokens.someArgs("ZONES...")));
      break;
    case "force_tcp":
      options.forceTcp = true;
      break;
    case "prefer_udp":
      options.preferUdp = true;
      break;
    case "expire":
      options.expireMs = duration(DURATIONS.expire);
      break;
    case "read_timeout":
      options.readTimeoutMs = duration(DURATIONS.read_timeout);
      break;
    case "max_fails":
      options.maxFails = count(COUNTS.max_fails);
      break;
    case "max_connect_attempts":
      options.maxConnectAttempts = count(COUNTS.max_connect_attempts);
      break;
    case "max_idle_conns":
      options.maxIdleConns = count(COUNTS.max_idle_conns);
      break;
    case "max_concurrent":
      options.maxConcurrent = count(COUNTS.max_concurrent);
      break;
    case "policy": {
      const policy = tokens.oneArg(POLICIES.join("|"));
      const known = POLICIES.find((name) => name === policy);
      if (known === undefined) {
        throw tokens.error(`policy: unknown policy "${policy}" (${POLICIES.join(", ")})`);
      }
      options.policy = known;
      break;
    }
    case "health_check":
      readHealthCheck(tokens, options);
      break;
    case "next":
      options.next.push(...readRcodes(tokens, option));
      break;
    case "next_on_nodata":
      options.nextOnNodata = true;
      break;
    case "failfast_all_unhealthy_upstreams":
      options.failfastAllUnhealthyUpstreams = true;
      break;
    case "failover": {
      const rcodes = readRcodes(tokens, option);
      if (rcodes.includes(0)) {
        throw tokens.error("failover: NOERROR cannot be used (name codes of failures)");
      }
      options.failover.push(...rcodes);
      break;
    }
    case "source_address": {
      const address = tokens.oneArg("IP");
      if (parseAddress(address) === null) {
        throw tokens.error(`source_address: "${address}" is no IP address`);
      }
      options.sourceAddress = address;
      break;
    }
    default:
      if (LATER.includes(option)) {
        throw tokens.error(`"${option}" is not supported yet (plain DNS upstreams are)`);
      }
      throw tokens.error(`unknown option "${option}"${suggestion(option, OPTIONS)}`);
  }
}

function readHealthCheck(tokens: Dispenser, options: ForwardOptions): void {
  const [interval, ...rest] = tokens.someArgs("DURATION [no_rec] [domain NAME]");
  const check = options.healthCheck;
  check.intervalMs = readDuration(tokens, interval!, DURATIONS.health_check);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "no_rec") {
      check.recursionDesired = false;
    } else if (word === "domain") {
      const name = rest.shift();
      if (name === undefined) throw tokens.error("health_check: domain needs a name");
      try {
        check.domain = normalizeZone(name);
      } catch (error) {
        throw tokens.error(`health_check: "${name}" is no name: ${(error as Error).message}`);
      }
    } else {
      const hint = suggestion(word, ["no_rec", "domain"]);
      throw tokens.error(`health_check: unknown option "${word}"${hint}`);
    }
  }
}

function readRcodes(tokens: Dispenser, option: string): number[] {
  return tokens.someArgs("RCODE...").map((text) => {
    const rcode = rcodeNumber(text);
    if (rcode === null) {
      const hint = suggestion(text, RCODE_NAMES);
      throw tokens.error(`${option}: "${text}" is no response code${hint}`);
    }
    return rcode;
  });
}
