import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration, readInteger } from "../../corefile/values.ts";
import { parseAddress } from "../../dns/address.ts";
import { isWithin } from "../../dns/zone.ts";
import type { Controller, PluginSetup } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import type { HostsOptions } from "./options.ts";

const PATH = "/etc/hosts";
const TTL = { name: "ttl", default: 3600, min: 1, max: 65535 } as const;
const RELOAD = { name: "reload", default: 5000, min: 0, max: MAX_DURATION_MS } as const;

/** Reads `hosts [FILE [ZONES...]] { … }`. */
export const hostsSetup: PluginSetup = {
  name: "hosts",
  answers: true,
  describe: (options) => {
    const { path, inline, fallthrough, authoritative } = options as HostsOptions;
    const entries = inline.length === 1 ? "1 entry" : `${inline.length} entries`;
    const more = inline.length === 0 ? "" : ` and ${entries} from the Corefile`;
    const denies = authoritative.length > 0;
    const denied = denies ? `, other names of ${authoritative.join(", ")} do not exist` : "";
    const fails = fallthrough === null && !deniesAll(options as HostsOptions);
    const others = fails ? `, ${denies ? "all others" : "other names"} get SERVFAIL` : "";
    return `names of ${path}${more} are answered from there${denied}${others}`;
  },
  setup(controller) {
    controller.tokens.once(() => controller.addHandler(readHosts(controller)));
  },
};

function readHosts(controller: Controller): HostsOptions {
  const { tokens, zones, host, warn, resolvePath } = controller;
  const { line } = tokens.place;
  const [file, ...names] = tokens.remainingArgs();
  const options: HostsOptions = {
    path: resolvePath(file ?? PATH),
    zones: readZones(tokens, names, zones),
    inline: [],
    ttlSeconds: TTL.default,
    autoReverse: true,
    reloadMs: RELOAD.default,
    fallthrough: null,
    fallthroughUnsupported: false,
    authoritative: [],
  };
  if (file !== undefined) {
    const kind = host.kindOf(options.path);
    if (kind === null) warn(line, `file ${quote(file)} does not exist (yet)`);
    else if (kind === "directory") warn(line, `${quote(file)} is a directory, not a hosts file`);
    else if (kind === "other") throw tokens.error(`${quote(file)} is not a regular file`);
  }
  const readers = readersInto(options, tokens);
  tokens.eachInBlock((option) => {
    const read = readers.get(option);
    if (read !== undefined) read();
    else readEntry(option, options, { controller, known: [...readers.keys()] });
  });
  const [next] = controller.answeringBehind;
  if (next !== undefined && deniesAll(options)) {
    const what = `names that it does not list are denied and do not reach ${next}`;
    warn(line, `${what} (name the zones that only this file has: authoritative ZONE...)`);
  } else if (next !== undefined && options.fallthrough === null) {
    const what = `names that it does not list get SERVFAIL and do not reach ${next}`;
    warn(line, `${what} (add fallthrough, or authoritative to deny them)`);
  }
  const both = options.authoritative.find((zone) => options.fallthrough?.includes(zone));
  if (both !== undefined) {
    const what = `zone ${quote(both)} is in fallthrough and in authoritative`;
    throw tokens.error(`${what} (name other zones in one of them)`);
  }
  if (options.fallthroughUnsupported && options.fallthrough === null) {
    throw tokens.error("fallthrough_unsupported needs fallthrough too (add it)");
  }
  return options;
}

function readersInto(options: HostsOptions, tokens: Dispenser): Map<string, () => void> {
  return new Map<string, () => void>([
    ["ttl", () => options.ttlSeconds = readInteger(tokens, tokens.oneArg("SECONDS"), TTL)],
    ["no_reverse", () => options.autoReverse = false],
    ["reload", () => options.reloadMs = readDuration(tokens, tokens.oneArg("DURATION"), RELOAD)],
    ["fallthrough", () => {
      options.fallthrough = readZones(tokens, tokens.remainingArgs(), ["."]);
    }],
    ["fallthrough_unsupported", () => options.fallthroughUnsupported = true],
    ["authoritative", () => {
      const zones = readZones(tokens, tokens.remainingArgs(), options.zones);
      const outside = zones.find((zone) => !options.zones.some((own) => isWithin(zone, own)));
      if (outside !== undefined) {
        const own = options.zones.join(" ");
        const what = `zone ${quote(outside)} is outside the zones of hosts, ${own}`;
        throw tokens.error(`${what} (add it there)`);
      }
      options.authoritative = [...new Set([...options.authoritative, ...zones])];
    }],
  ]);
}

/** Whether no name of its zones gets SERVFAIL or falls through. */
function deniesAll({ zones, authoritative, fallthrough }: HostsOptions): boolean {
  const isIn = (zones: readonly string[], zone: string) =>
    zones.some((other) => isWithin(zone, other));
  return zones.every((zone) => isIn(authoritative, zone)) &&
    !(fallthrough ?? []).some((zone) => isIn(zones, zone));
}

/** As in CoreDNS, only before `fallthrough`. */
function readEntry(
  word: string,
  options: HostsOptions,
  { controller: { tokens, warn }, known }: { controller: Controller; known: readonly string[] },
): void {
  const { line } = tokens.place;
  const address = parseAddress(word.split("%")[0]!) !== null;
  const hint = address ? "" : didYouMean(word, known);
  if (hint !== "") throw tokens.error(`unknown option ${quote(word)}${hint}`);
  if (options.fallthrough !== null) {
    throw tokens.error(
      address
        ? `entry ${quote(word)} follows "fallthrough" (move it before)`
        : `unknown option ${quote(word)} (${known.join(", ")})`,
    );
  }
  const names = tokens.remainingArgs();
  if (!address || names.length === 0) {
    // CoreDNS ignores such lines silently.
    warn(line, `${quote(word)} is neither an option nor an entry (ADDRESS NAME...); it is ignored`);
    return;
  }
  options.inline.push([word, ...names].join(" "));
}
