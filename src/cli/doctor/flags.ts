import { quote } from "../../corefile/quote.ts";
import { parseName } from "../../dns/name.ts";
import type { DoctorOptions } from "../../doctor/probe/options.ts";
import { httpAddressText } from "../../plugins/http_address.ts";
import type { Command } from "../command.ts";
import { type Flag, FlagError, type FlagValues, HELP_FLAG, parseFlags } from "../flags.ts";
import { readServeFlags, SERVE_FLAGS } from "../serve/flags.ts";

/** Flags of `nodens doctor` alone. */
export const DOCTOR_FLAGS: readonly Flag[] = [
  { name: "json", kind: "boolean", default: false, help: "print the findings as JSON" },
  {
    name: "name",
    kind: "text",
    value: "NAME",
    default: "",
    help: "name of the cluster to ask for; else kubernetes.default.svc.DOMAIN",
  },
  {
    name: "outside",
    kind: "text",
    value: "NAME",
    default: "example.org",
    help: "other name to ask for",
  },
  {
    name: "timeout",
    kind: "number",
    value: "SECONDS",
    default: 2,
    help: "seconds to wait for an answer",
  },
  {
    name: "pod",
    kind: "boolean",
    default: false,
    help: "ask from a network namespace made for it: the host is changed for a moment",
  },
  HELP_FLAG,
];

const TIMEOUT_SECONDS = { min: 1, max: 60 } as const;
/** Those of `nodens` that are taken, so that a command line can be pasted, and mean nothing here. */
const IGNORED = [
  "quiet",
  "log-format",
  "log-time",
  "pidfile",
  "plugins",
  "version",
  "workers",
  "io",
];
/** Flags of `nodens` that are taken as well. */
const TAKEN_FLAGS = SERVE_FLAGS.filter(({ name }) =>
  !DOCTOR_FLAGS.some((own) => own.name === name)
);

/** Description of `nodens doctor`. */
export const DOCTOR: Command = {
  name: "doctor",
  summary: "look whether nodens would work on this node, or does",
  forms: [{ args: "[--json] [--pod] [FLAGS of nodens]" }],
  description: [
    "Give it the flags that nodens is given, and it looks at the machine as they want it.",
  ],
  flags: [...DOCTOR_FLAGS, ...TAKEN_FLAGS.filter(({ name }) => !IGNORED.includes(name))],
  operands: [],
  exitCodes: [
    [0, "no problem"],
    [1, "problems, each told with what to do"],
    [2, "a command line that cannot be understood"],
  ],
};

/** How the doctor was called. */
export interface DoctorCall {
  readonly help: boolean;
  readonly json: boolean;
  readonly options: DoctorOptions;
}

/** Reads the arguments of `nodens doctor`. Throws `FlagError`. */
export function readDoctorFlags(
  args: readonly string[],
  env: (name: string) => string | undefined,
): DoctorCall {
  const { values, given, rest } = parseFlags(args, [...DOCTOR_FLAGS, ...TAKEN_FLAGS]);
  if (rest.length > 0) {
    throw new FlagError(`unknown argument ${quote(rest[0]!)} (flags begin with -)`);
  }
  const served = readServeFlags(
    TAKEN_FLAGS.filter(({ name }) => given.has(name)).map(({ name }) => `-${name}=${values[name]}`),
  );
  const { node, rules } = served;
  const inCluster = node.localIps.length > 0 || node.template !== null || given.has("domain") ||
    env("KUBERNETES_SERVICE_HOST") !== undefined;
  const domain = String(values["domain"]);
  const named = readName("name", values);
  return {
    help: values["h"] === true,
    json: values["json"] === true,
    options: {
      node,
      rules,
      corefile: served.corefile,
      defaultPort: node.dnsPort,
      metricsAddresses: served.metricsAddresses.map(httpAddressText),
      clusterName: named !== "" ? named : inCluster ? `kubernetes.default.svc.${domain}` : null,
      outsideName: readName("outside", values) || "example.org",
      timeoutMs: readTimeout(values),
      pod: values["pod"] === true,
    },
  };
}

function readTimeout(values: FlagValues): number {
  const seconds = Number(values["timeout"]);
  const { min, max } = TIMEOUT_SECONDS;
  if (seconds >= min && seconds <= max) return seconds * 1000;
  throw new FlagError(`flag -timeout: ${seconds} is out of range (${min} to ${max})`);
}

function readName(flag: string, values: FlagValues): string {
  const text = String(values[flag]);
  try {
    if (text !== "") parseName(text);
    return text;
  } catch (error) {
    throw new FlagError(
      `flag -${flag}: ${quote(text)} is no name (like example.org): ${(error as Error).message}`,
    );
  }
}
