import type { NodeArguments } from "../../manifest/check_arguments.ts";
import { FlagError, parseFlags } from "../flags.ts";
import { NODE_FLAGS, readNodeOptions } from "../serve/node_flags.ts";
import { readServeFlags, SERVE_FLAGS } from "../serve/flags.ts";

const isServeFlag = (name: string) => SERVE_FLAGS.some((flag) => flag.name === name);
/** Every flag that serving knows, each once. */
const FLAGS = [...SERVE_FLAGS, ...NODE_FLAGS.filter(({ name }) => !isServeFlag(name))];

/** Reads the arguments of a container as nodens reads them. Throws `FlagError` for a fault. */
export function readNodeArguments(args: readonly string[]): NodeArguments {
  const { values, given, rest } = parseFlags(args, FLAGS);
  if (rest.length > 0) throw new FlagError(`unknown argument "${rest[0]}" (flags begin with -)`);
  readServeFlags([...given].filter(isServeFlag).map((name) => `-${name}=${values[name]}`));
  const { localIps, dnsPort, template } = readNodeOptions(values, given);
  return {
    localIps,
    dnsPort,
    baseFile: template?.baseFile ?? "",
    target: template?.target ?? String(values["conf"] || "/Corefile"),
    domain: given.has("domain") ? template?.domain ?? null : null,
  };
}
