import { Lazy } from "../base/lazy.ts";
import { bindSetup } from "./bind/setup.ts";
import { cacheSetup } from "./cache/setup.ts";
import { errorsSetup } from "./errors/setup.ts";
import { forwardSetup } from "./forward/setup.ts";
import { healthSetup } from "./health/setup.ts";
import { logSetup } from "./log/setup.ts";
import { loopSetup } from "./loop/setup.ts";
import { prometheusSetup } from "./prometheus/setup.ts";
import { readySetup } from "./ready/setup.ts";
import { reloadSetup } from "./reload/setup.ts";
import { rootSetup } from "./root/setup.ts";
import type { PluginSetup } from "./setup.ts";
import { timeoutsSetup } from "./timeouts/setup.ts";
import { withoutEffectSetups } from "./without_effect/setup.ts";

/** Setups of directives by name, of which the common ones are loaded at once. */
export const SETUPS: ReadonlyMap<string, Lazy<PluginSetup>> = new Map(Object.entries({
  root: Lazy.of(rootSetup),
  timeouts: Lazy.of(timeoutsSetup),
  reload: Lazy.of(reloadSetup),
  nsid: new Lazy(async () => (await import("./nsid/setup.ts")).nsidSetup),
  bufsize: new Lazy(async () => (await import("./bufsize/setup.ts")).bufsizeSetup),
  rrl: new Lazy(async () => (await import("./rrl/setup.ts")).rrlSetup),
  bind: Lazy.of(bindSetup),
  debug: new Lazy(async () => (await import("./debug/setup.ts")).debugSetup),
  ready: Lazy.of(readySetup),
  health: Lazy.of(healthSetup),
  pprof: new Lazy(async () => (await import("./pprof/setup.ts")).pprofSetup),
  prometheus: Lazy.of(prometheusSetup),
  errors: Lazy.of(errorsSetup),
  log: Lazy.of(logSetup),
  local: new Lazy(async () => (await import("./local/setup.ts")).localSetup),
  dns64: new Lazy(async () => (await import("./dns64/setup.ts")).dns64Setup),
  any: new Lazy(async () => (await import("./any/setup.ts")).anySetup),
  chaos: new Lazy(async () => (await import("./chaos/setup.ts")).chaosSetup),
  loadbalance: new Lazy(async () => (await import("./loadbalance/setup.ts")).loadbalanceSetup),
  rewrite: new Lazy(async () => (await import("./rewrite/setup.ts")).rewriteSetup),
  acl: new Lazy(async () => (await import("./acl/setup.ts")).aclSetup),
  cache: Lazy.of(cacheSetup),
  header: new Lazy(async () => (await import("./header/setup.ts")).headerSetup),
  minimal: new Lazy(async () => (await import("./minimal/setup.ts")).minimalSetup),
  template: new Lazy(async () => (await import("./template/setup.ts")).templateSetup),
  hosts: new Lazy(async () => (await import("./hosts/setup.ts")).hostsSetup),
  loop: Lazy.of(loopSetup),
  forward: Lazy.of(forwardSetup),
  whoami: new Lazy(async () => (await import("./whoami/setup.ts")).whoamiSetup),
  ...Object.fromEntries(withoutEffectSetups.map((setup) => [setup.name, Lazy.of(setup)])),
}));
