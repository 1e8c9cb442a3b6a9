import { type HttpAddress, parseHttpAddress } from "../../plugins/http_address.ts";
import {
  boolean,
  choice,
  FlagError,
  type FlagValues,
  HELP_FLAG,
  number,
  type ParsedFlags,
  port,
  text,
} from "../flags.ts";
import { checkClientFlags, CLIENT_FLAGS } from "./client_flags.ts";
import { KERNEL_FLAGS, readKernelHits } from "./kernel_flags.ts";
import { NODE_FLAGS, readNodeOptions } from "./node_flags.ts";
import { readRuleOptions, RULE_FLAGS } from "./rule_flags.ts";

/** Flags of serving. */
export const SERVE_FLAGS = {
  conf: text("FILE", "Corefile to serve; else ./Corefile, else a built-in one (whoami, log)"),
  "dns.port": port(53, "port of server blocks that name none", "p"),
  quiet: boolean("say nothing at start"),
  "log-format": choice("FORMAT", ["text", "json"], "text or json (an object a line)"),
  "log-time": choice(
    "WHEN",
    ["auto", "always", "never"],
    "begin lines of text with their time; auto: unless the journal or a container adds it",
  ),
  pidfile: text("FILE", "write the process id to this file"),
  control: text("PATH", "socket for flush, lookup and other commands; auto or off", "auto"),
  top: choice("SWITCH", ["on", "off"], "keep what top and watch show; off: observe no queries"),
  page: choice(
    "WHO",
    ["own", "local", "off"],
    "who sees all of the page beside the metrics: own: root and this user, or all local users",
  ),
  plugins: boolean("list the plugins and exit"),
  version: boolean("print the version and exit"),
  workers: number("NUMBER", 1, "data planes that share the ports", { min: 1, max: 64 }),
  "loop-exit": boolean("end with exit code 1 when the plugin loop finds a forwarding loop"),
  takeover: text("NAME", "accepted and ignored: nodens processes on one host share addresses"),
  io: choice("KIND", ["auto", "linux", "portable"], "auto, linux (epoll) or portable"),
  "metrics-listen-address": text("ADDRESS", "serve metrics here, besides the Corefile's"),
  "extra-metrics-address": text("ADDRESS", "serve metrics here, too"),
  ...CLIENT_FLAGS,
  ...KERNEL_FLAGS,
  ...NODE_FLAGS,
  ...RULE_FLAGS,
  h: HELP_FLAG,
};

/** Values of the flags. */
export type ServeValues = FlagValues<typeof SERVE_FLAGS>;

/** A checked command line. */
export type ServeOptions = ReturnType<typeof readServeOptions>;

/** Checks flags. Throws `FlagError`. */
export function readServeOptions(
  { values, given }: Pick<ParsedFlags<ServeValues>, "values" | "given">,
) {
  checkClientFlags(values, given);
  const node = readNodeOptions(values, given);
  const corefile = values.conf || (given.has("corefile") ? values.corefile : "");
  return {
    values,
    corefile: node.template?.target ?? corefile,
    node,
    rules: readRuleOptions(values, node),
    kernelHits: readKernelHits(values),
    metricsAddresses: [
      ...metricsAddress("extra-metrics-address", values["extra-metrics-address"]),
      ...metricsAddress("metrics-listen-address", node.metricsListenAddress),
    ],
  };
}

function metricsAddress(name: string, text: string): HttpAddress[] {
  if (text === "") return [];
  const address = parseHttpAddress(text);
  if (address !== null) return [address];
  throw new FlagError(
    `flag -${name}: "${text}" is not an address (HOST:PORT, [IPV6]:PORT or :PORT)`,
  );
}
