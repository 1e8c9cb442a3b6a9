import { bindSetup } from "./bind/setup.ts";
import { cacheSetup } from "./cache/setup.ts";
import type { PluginSetup } from "./controller.ts";
import { debugSetup } from "./debug/setup.ts";
import { errorsSetup } from "./errors/setup.ts";
import { forwardSetup } from "./forward/setup.ts";
import { hostsSetup } from "./hosts/setup.ts";
import { logSetup } from "./log/setup.ts";
import { whoamiSetup } from "./whoami/setup.ts";

/** Readers of directives by name. */
export const SETUPS: ReadonlyMap<string, PluginSetup> = new Map(
  [
    bindSetup,
    debugSetup,
    errorsSetup,
    logSetup,
    cacheSetup,
    hostsSetup,
    forwardSetup,
    whoamiSetup,
  ].map((setup) => [setup.name, setup]),
);
