import type { NodeArguments } from "../../manifest/check_arguments.ts";
import { parseFlags } from "../flags.ts";
import { readServeFlags, SERVE_FLAGS } from "../serve/flags.ts";

/** Reads the arguments of a container as nodens reads them. Throws `FlagError` for a fault. */
export function readNodeArguments(args: readonly string[]): NodeArguments {
  const { values, node: { localIps, dnsPort, template } } = readServeFlags(args);
  const { given } = parseFlags(args, SERVE_FLAGS);
  return {
    localIps,
    dnsPort,
    baseFile: template?.baseFile ?? "",
    target: template?.target ?? (values.conf || "/Corefile"),
    domain: given.has("domain") ? template?.domain ?? null : null,
  };
}
