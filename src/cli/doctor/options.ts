import { quote } from "../../corefile/quote.ts";
import { parseName } from "../../dns/name.ts";
import type { DoctorOptions } from "../../doctor/probe/options.ts";
import { boolean, flagFault, type FlagValues, number, type ParsedFlags, text } from "../flags.ts";
import { readServeOptions, SERVE_FLAGS } from "../serve/flags.ts";

/** Flags of `nodens doctor` and of serving. */
export const DOCTOR_FLAGS = {
  json: boolean("print the findings as JSON"),
  name: text("NAME", "name of the cluster to ask for; else kubernetes.default.svc.DOMAIN"),
  outside: text("NAME", "other name to ask for", "example.org"),
  timeout: number("SECONDS", 2, "seconds to wait for an answer", { min: 1, max: 60 }),
  pod: boolean("ask from a network namespace made for it: the host is changed for a moment"),
  inherit: text("FILE", "compare with these ConfigMaps of CoreDNS (kubectl get configmap -o yaml)"),
  ...SERVE_FLAGS,
};

/** Values of the flags. */
export type DoctorValues = FlagValues<typeof DOCTOR_FLAGS>;

/** Checks the flags. Throws `FlagError`. */
export function readDoctorOptions(
  { values, given }: Pick<ParsedFlags<DoctorValues>, "values" | "given">,
  env: (name: string) => string | undefined,
): DoctorOptions {
  const served = readServeOptions({ values, given });
  const { node, rules, corefile, metricsAddresses, kernelHits } = served;
  const { domain, pod, inherit, workers, io } = values;
  const inCluster = node.localIps.length > 0 || node.template !== null || given.has("domain") ||
    env("KUBERNETES_SERVICE_HOST") !== undefined;
  const clusterName = readName("name", values.name) ||
    (inCluster ? `kubernetes.default.svc.${domain}` : null);
  return {
    ...{ node, rules, corefile, metricsAddresses, domain, pod, inherit, clusterName },
    ...{ kernelHits, workers, driver: io === "auto" ? "linux" : io },
    outsideName: readName("outside", values.outside) || "example.org",
    timeoutMs: values.timeout * 1000,
  };
}

function readName(flag: "name" | "outside", text: string): string {
  try {
    if (text !== "") parseName(text);
    return text;
  } catch (error) {
    const why = (error as Error).message;
    throw flagFault(flag, `${quote(text)} is not a name (like example.org): ${why}`);
  }
}
