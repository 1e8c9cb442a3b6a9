import { quote } from "../../corefile/quote.ts";
import { parseName } from "../../dns/name.ts";
import type { DoctorOptions } from "../../doctor/probe/options.ts";
import { httpAddressText } from "../../plugins/http_address.ts";
import { FlagError, type ParsedFlags } from "../flags.ts";
import { readServeOptions, type ServeValues } from "../serve/flags.ts";

/** Values of the flags of `nodens doctor`. */
export interface DoctorValues extends ServeValues {
  readonly json: boolean;
  readonly name: string;
  readonly outside: string;
  readonly timeout: number;
  readonly pod: boolean;
}

/** What the flags of `nodens doctor` ask for. Throws `FlagError`. */
export function readDoctorOptions(
  { values, given }: Pick<ParsedFlags<DoctorValues>, "values" | "given">,
  env: (name: string) => string | undefined,
): DoctorOptions {
  const { node, rules, corefile, metricsAddresses } = readServeOptions({ values, given });
  const inCluster = node.localIps.length > 0 || node.template !== null || given.has("domain") ||
    env("KUBERNETES_SERVICE_HOST") !== undefined;
  const clusterName = readName("name", values.name) ||
    (inCluster ? `kubernetes.default.svc.${values.domain}` : null);
  return {
    node,
    rules,
    corefile,
    defaultPort: node.dnsPort,
    metricsAddresses: metricsAddresses.map(httpAddressText),
    clusterName,
    outsideName: readName("outside", values.outside) || "example.org",
    timeoutMs: values.timeout * 1000,
    pod: values.pod,
  };
}

function readName(flag: "name" | "outside", text: string): string {
  try {
    if (text !== "") parseName(text);
    return text;
  } catch (error) {
    throw new FlagError(
      `flag -${flag}: ${quote(text)} is not a name (like example.org): ${(error as Error).message}`,
    );
  }
}
