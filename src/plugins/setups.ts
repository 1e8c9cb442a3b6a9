import { aclSetup } from "./acl/setup.ts";
import { anySetup } from "./any/setup.ts";
import { bindSetup } from "./bind/setup.ts";
import { bufsizeSetup } from "./bufsize/setup.ts";
import { cacheSetup } from "./cache/setup.ts";
import { chaosSetup } from "./chaos/setup.ts";
import type { PluginSetup } from "./setup.ts";
import { debugSetup } from "./debug/setup.ts";
import { dns64Setup } from "./dns64/setup.ts";
import { errorsSetup } from "./errors/setup.ts";
import { forwardSetup } from "./forward/setup.ts";
import { headerSetup } from "./header/setup.ts";
import { healthSetup } from "./health/setup.ts";
import { hostsSetup } from "./hosts/setup.ts";
import { loadbalanceSetup } from "./loadbalance/setup.ts";
import { localSetup } from "./local/setup.ts";
import { logSetup } from "./log/setup.ts";
import { loopSetup } from "./loop/setup.ts";
import { minimalSetup } from "./minimal/setup.ts";
import { nsidSetup } from "./nsid/setup.ts";
import { pprofSetup } from "./pprof/setup.ts";
import { prometheusSetup } from "./prometheus/setup.ts";
import { readySetup } from "./ready/setup.ts";
import { reloadSetup } from "./reload/setup.ts";
import { rewriteSetup } from "./rewrite/setup.ts";
import { rootSetup } from "./root/setup.ts";
import { rrlSetup } from "./rrl/setup.ts";
import { templateSetup } from "./template/setup.ts";
import { timeoutsSetup } from "./timeouts/setup.ts";
import { whoamiSetup } from "./whoami/setup.ts";
import { withoutEffectSetups } from "./without_effect/setup.ts";

/** Setups of directives by name. */
export const SETUPS: ReadonlyMap<string, PluginSetup> = new Map(
  [
    rootSetup,
    timeoutsSetup,
    reloadSetup,
    nsidSetup,
    bufsizeSetup,
    rrlSetup,
    bindSetup,
    debugSetup,
    readySetup,
    healthSetup,
    pprofSetup,
    prometheusSetup,
    errorsSetup,
    logSetup,
    localSetup,
    dns64Setup,
    anySetup,
    chaosSetup,
    loadbalanceSetup,
    rewriteSetup,
    aclSetup,
    cacheSetup,
    headerSetup,
    minimalSetup,
    templateSetup,
    hostsSetup,
    loopSetup,
    forwardSetup,
    whoamiSetup,
    ...withoutEffectSetups,
  ].map((setup) => [setup.name, setup]),
);
