import { labelOf } from "../../upstream/options.ts";
import { parseAddress } from "../../dns/address.ts";
import { isWithin } from "../../dns/zone.ts";
import { unknownOption } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { formatDuration } from "../../corefile/values.ts";
import type { Controller, PluginSetup, WholeConfig } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import { type ForwardOptions, transportOf } from "./options.ts";
import { leaveOutOwnListeners } from "./own_listeners.ts";
import { defaultOptions, type OptionContext, OPTIONS } from "./read_options.ts";
import { resolveTo } from "./resolve_to.ts";
import { readTo } from "./to.ts";

/** Options of resolv.conf, and those that override them. */
const RESOLV_CONF_OPTIONS = {
  timeout: "read_timeout",
  attempts: "max_connect_attempts",
  rotate: "policy",
} as const;

/** Reads `forward FROM TO... { … }`; one handler per use. */
export const forwardSetup: PluginSetup = {
  name: "forward",
  answers: true,
  describe: (options) => describeForward(options as ForwardOptions),
  setup(controller) {
    const before: { options: ForwardOptions; line: number }[] = [];
    controller.tokens.eachUse(() => {
      const { line } = controller.tokens.place;
      const options = readForward(controller);
      warnOfHidden(options, line, before, controller);
      before.push({ options, line });
      controller.addHandler(options);
    });
  },
  complete: (whole) => leaveOutOwnListeners(whole as WholeConfig<ForwardOptions>),
};

function readForward({ tokens, host, resolvePath, warn }: Controller): ForwardOptions {
  const { line } = tokens.place;
  if (!tokens.nextArg()) {
    throw tokens.error("it needs a zone and an upstream (forward . 10.0.0.10)");
  }
  const from = tokens.value;
  const zones = readZones(tokens, [from]);
  if (parseAddress(from) !== null) {
    const what = `${quote(from)} is taken for a zone, and no other name is forwarded`;
    warn(line, `${what} (forward FROM TO...: write forward . ${from})`);
  }
  if (zones.length > 1) {
    warn(line, `${quote(from)} stands for ${zones.length} zones; only ${zones[0]} is forwarded`);
  }
  const options = defaultOptions(zones[0]!);
  // Else faults in TO hide theirs.
  const texts = tokens.remainingArgs();
  const given = new Set<string>();
  const context: OptionContext = { tokens, host, resolvePath, warn, tlsServerName: "" };
  tokens.eachInBlock((option) => {
    const read = Object.hasOwn(OPTIONS, option) ? OPTIONS[option] : undefined;
    if (read === undefined) throw tokens.error(unknownOption(option, Object.keys(OPTIONS)));
    read(context, options);
    given.add(option);
  });
  const { tlsServerName } = context;
  options.to = readTo(tokens, texts, { host, warn: (text) => warn(line, text), tlsServerName });
  if (options.to.some(({ kind }) => kind === "file")) {
    const names = Object.keys(RESOLV_CONF_OPTIONS) as (keyof typeof RESOLV_CONF_OPTIONS)[];
    options.resolvConfOptions = names.filter((name) => !given.has(RESOLV_CONF_OPTIONS[name]));
  }
  Object.assign(options, resolveTo(options));
  if (options.maxAgeMs > 0 && options.maxAgeMs < options.expireMs) {
    const [age, expire] = [options.maxAgeMs, options.expireMs].map(formatDuration);
    throw tokens.error(
      `max_age (${age}) is shorter than expire (${expire}): make it longer, or 0 for no limit`,
    );
  }
  for (const { option, without } of unusedOptions(options, given)) {
    warn(line, `option "${option}" has no effect: no upstream is ${without}`);
  }
  return options;
}

function describeForward({ from, to, forceTcp, except }: ForwardOptions): string {
  const places = to.map((one) =>
    one.kind === "server"
      ? labelOf(one.upstream)
      : one.kind === "file"
      ? `the servers of ${one.path}`
      : one.host
  );
  const whole = from === ".";
  const names = whole ? "all else" : `names in ${from}`;
  const but = except.length === 0 ? "" : ` but ${except.join(", ")}`;
  return `${names}${but} ${whole ? "goes" : "go"} to ${places.join(", ")}${
    forceTcp ? " over TCP" : ""
  }`;
}

/** Warns of uses that get no queries. */
function warnOfHidden(
  { from }: ForwardOptions,
  line: number,
  before: readonly { options: ForwardOptions; line: number }[],
  { warn }: Controller,
): void {
  const hidden = before.find(({ options }) =>
    isWithin(from, options.from) && options.next.length === 0 && !options.nextOnNodata &&
    !options.except.some((zone) => isWithin(from, zone))
  );
  if (hidden === undefined) return;
  const what = `the forward of ${hidden.options.from} on line ${hidden.line} takes every query of`;
  warn(line, `${what} ${from} before it comes here (put this one first)`);
}

function unusedOptions(
  { to }: ForwardOptions,
  given: ReadonlySet<string>,
): { option: string; without: string }[] {
  const transports = to.map(transportOf);
  const overTls = "reached over TLS (tls://, https://)";
  const secure = transports.some((transport) => transport !== "dns");
  const rules = [
    { option: "tls", without: overTls, used: secure },
    { option: "tls_servername", without: overTls, used: secure },
    {
      option: "doh_method",
      without: "reached over HTTPS (https://)",
      used: transports.includes("https"),
    },
    { option: "resolver", without: "a host name", used: to.some(({ kind }) => kind === "name") },
  ];
  return rules.filter(({ option, used }) => given.has(option) && !used);
}
