import { quote } from "../../corefile/quote.ts";
import { parseName } from "../../dns/name.ts";
import type { DoctorOptions } from "../../doctor/probe/options.ts";
import { httpAddressText } from "../../plugins/http_address.ts";
import { type Flag, FlagError, HELP_FLAG, parseFlags } from "../flags.ts";
import { readServeFlags, SERVE_FLAGS } from "../serve/flags.ts";

/** Flags of `nodens doctor` alone. */
export const DOCTOR_FLAGS = [
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
] as const satisfies readonly Flag[];

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

/** Flags that help lists. */
export const HELPED_FLAGS: readonly Flag[] = [
  ...DOCTOR_FLAGS,
  ...TAKEN_FLAGS.filter(({ name }) => !IGNORED.includes(name)),
];

/** How the doctor was called. */
export interface DoctorCall {
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
  const domain = values.domain;
  const named = readName("name", values.name);
  return {
    json: values.json,
    options: {
      node,
      rules,
      corefile: served.corefile,
      defaultPort: node.dnsPort,
      metricsAddresses: served.metricsAddresses.map(httpAddressText),
      clusterName: named !== "" ? named : inCluster ? `kubernetes.default.svc.${domain}` : null,
      outsideName: readName("outside", values.outside) || "example.org",
      timeoutMs: readTimeout(values.timeout),
      pod: values.pod,
    },
  };
}

function readTimeout(seconds: number): number {
  const { min, max } = TIMEOUT_SECONDS;
  if (seconds >= min && seconds <= max) return seconds * 1000;
  throw new FlagError(`flag -timeout: ${seconds} is out of range (${min} to ${max})`);
}

function readName(flag: string, text: string): string {
  try {
    if (text !== "") parseName(text);
    return text;
  } catch (error) {
    throw new FlagError(
      `flag -${flag}: ${quote(text)} is not a name (like example.org): ${(error as Error).message}`,
    );
  }
}
