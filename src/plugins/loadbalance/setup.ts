import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import { type Network, parseNetwork } from "../../dns/network.ts";
import type { Controller, PluginSetup } from "../setup.ts";
import type { LoadbalanceOptions } from "./options.ts";
import { readWeights } from "./weights.ts";

const RELOAD = { name: "reload", min: 0, max: MAX_DURATION_MS };

/** Reads `loadbalance [round_robin | weighted FILE] { … }`. */
export const loadbalanceSetup: PluginSetup = {
  name: "loadbalance",
  describe: (options) =>
    (options as LoadbalanceOptions).weighted === null
      ? "shuffles addresses"
      : "puts an address first by its weight",
  setup(controller) {
    const { tokens, addHandler } = controller;
    const options: LoadbalanceOptions = { prefer: [], weighted: null };
    tokens.once(() => {
      const [policy = "round_robin", file, ...more] = tokens.remainingArgs();
      if (policy !== "round_robin" && policy !== "weighted") {
        throw tokens.error(`${quote(policy)} is not a policy (round_robin, weighted FILE)`);
      }
      if (policy === "round_robin" ? file !== undefined : more.length > 0) {
        throw tokens.error("too many arguments (round_robin, or weighted FILE)");
      }
      if (policy === "weighted") {
        if (file === undefined) throw tokens.error("the weight file is missing (weighted FILE)");
        options.weighted = readFile(file, controller);
      }
      const { prefer, weighted } = options;
      const reload = weighted && (() => {
        weighted.follow = readDuration(tokens, tokens.oneArg("DURATION"), RELOAD) > 0;
      });
      tokens.options({
        prefer: () =>
          prefer.push(...tokens.someArgs("CIDR...").map((cidr) => readCidr(cidr, tokens))),
        ...reload && { reload },
      });
    });
    addHandler(options);
  },
};

/** A missing file is only a warning. */
function readFile(
  file: string,
  { tokens, host, resolvePath, warn }: Controller,
): LoadbalanceOptions["weighted"] {
  const path = resolvePath(file);
  let text: string;
  try {
    text = host.readTextFile(path);
  } catch (error) {
    warn(tokens.directiveLine, `Cannot read "${path}": ${readFailure(error)} (all weights are 1)`);
    return { file: path, follow: true, names: [] };
  }
  try {
    return { file: path, follow: true, names: readWeights(text) };
  } catch (error) {
    throw tokens.error(`"${path}", ${(error as Error).message}`);
  }
}

function readCidr(text: string, tokens: Dispenser): Network {
  const network = parseNetwork(text);
  if (network === null) throw tokens.error(`${quote(text)} is not a network (such as 10.0.0.0/8)`);
  return network;
}
