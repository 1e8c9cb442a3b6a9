import type { NodeOptions } from "../../node/template/options.ts";
import { type HttpAddress, parseHttpAddress } from "../../plugins/http_address.ts";
import { type Flag, FlagError, type FlagValues, HELP_FLAG, parseFlags } from "../flags.ts";
import { NODE_FLAGS, readNodeOptions } from "./node_flags.ts";
import { readRuleOptions, RULE_FLAGS } from "./rule_flags.ts";

/** Flags of `nodens` without a command. */
export const SERVE_FLAGS = [
  {
    name: "conf",
    kind: "text",
    value: "FILE",
    default: "",
    help: "Corefile to serve; else ./Corefile, else a built-in one (whoami, log)",
  },
  {
    name: "dns.port",
    kind: "number",
    value: "PORT",
    alias: "p",
    default: 53,
    help: "port of server blocks that name none",
  },
  { name: "quiet", kind: "boolean", default: false, help: "say nothing at start" },
  {
    name: "log-format",
    kind: "text",
    value: "FORMAT",
    choices: ["text", "json"],
    default: "text",
    help: "text or json (an object a line)",
  },
  {
    name: "log-time",
    kind: "text",
    value: "WHEN",
    choices: ["auto", "always", "never"],
    default: "auto",
    help: "begin lines of text with their time; auto: where neither journal nor container adds it",
  },
  {
    name: "pidfile",
    kind: "text",
    value: "FILE",
    default: "",
    help: "write the process id to this file",
  },
  { name: "plugins", kind: "boolean", default: false, help: "list the plugins and exit" },
  { name: "version", kind: "boolean", default: false, help: "print the version and exit" },
  { name: "workers", kind: "number", default: 1, help: "data planes that share the ports" },
  {
    name: "loop-exit",
    kind: "boolean",
    default: false,
    help: "end with exit code 1 when the plugin loop finds a forwarding loop",
  },
  {
    name: "takeover",
    kind: "text",
    value: "NAME",
    default: "",
    help:
      "accepted and ignored: two nodens processes on one host share their addresses by themselves",
  },
  {
    name: "io",
    kind: "text",
    value: "KIND",
    choices: ["auto", "linux", "portable"],
    default: "auto",
    help: "auto, linux (epoll) or portable",
  },
  {
    name: "prometheus-listen-address",
    kind: "text",
    value: "ADDRESS",
    default: "",
    help: "serve metrics at this address, besides what the Corefile says",
  },
  {
    name: "metrics-listen-address",
    kind: "text",
    value: "ADDRESS",
    default: "",
    help: "the same, as node-cache has it",
  },
  ...NODE_FLAGS,
  ...RULE_FLAGS,
  HELP_FLAG,
] as const satisfies readonly Flag[];

/** Values of the flags of `nodens` without a command. */
export type ServeValues = FlagValues<typeof SERVE_FLAGS>;

const MAX_WORKERS = 64;
const METRICS_FLAGS = ["prometheus-listen-address", "metrics-listen-address"] as const;

/** A command line that was read and checked. */
export interface ServeOptions {
  values: ServeValues;
  /** The Corefile to serve; "" where the command line names none. */
  corefile: string;
  node: NodeOptions;
  rules: ReturnType<typeof readRuleOptions>;
  /** Where metrics are served besides what the Corefile says. */
  metricsAddresses: HttpAddress[];
}

/** Reads and checks the flags. Throws `FlagError`. */
export function readServeFlags(args: readonly string[]): ServeOptions {
  const { values, given, rest } = parseFlags(args, SERVE_FLAGS);
  if (rest.length > 0) throw new FlagError(`unknown argument "${rest[0]}" (flags begin with -)`);
  const { workers } = values;
  if (workers < 1 || workers > MAX_WORKERS) {
    throw new FlagError(`flag -workers: ${workers} is out of range (1 to ${MAX_WORKERS})`);
  }
  const port = values["dns.port"];
  if (port < 1 || port > 65535) {
    throw new FlagError(`flag -dns.port: ${port} is not a port (1 to 65535)`);
  }
  const node = readNodeOptions(values, given);
  const corefile = values.conf || (given.has("corefile") ? values.corefile : "");
  return {
    values,
    corefile: node.template?.target ?? corefile,
    node,
    rules: readRuleOptions(values, node),
    metricsAddresses: metricsAddresses(values, node),
  };
}

/** Addresses that the flags name. Throws `FlagError` for what is none. */
function metricsAddresses(values: ServeValues, node: NodeOptions): HttpAddress[] {
  return METRICS_FLAGS.flatMap((name) => {
    const own = name === "metrics-listen-address";
    const text = own ? node.metricsListenAddress : values[name];
    if (text === "") return [];
    const address = parseHttpAddress(text);
    if (address !== null) return [address];
    throw new FlagError(
      `flag -${name}: "${text}" is not an address (HOST:PORT, [IPV6]:PORT or :PORT)`,
    );
  });
}
