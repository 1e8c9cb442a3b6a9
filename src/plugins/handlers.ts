import type { CreateHandler } from "../engine/handler.ts";
import { createAcl } from "./acl/handler.ts";
import { createAny } from "./any/handler.ts";
import { createBufsize } from "./bufsize/handler.ts";
import { createCache } from "./cache/handler.ts";
import { createChaos } from "./chaos/handler.ts";
import { createDns64 } from "./dns64/handler.ts";
import { createErrors } from "./errors/handler.ts";
import { createForward } from "./forward/handler.ts";
import { createHeader } from "./header/handler.ts";
import { createHosts } from "./hosts/handler.ts";
import { createLoadbalance } from "./loadbalance/handler.ts";
import { createLocal } from "./local/handler.ts";
import { createLog } from "./log/handler.ts";
import { createLoop, type LoopServices } from "./loop/handler.ts";
import type { LoopOptions } from "./loop/setup.ts";
import { createMinimal } from "./minimal/handler.ts";
import { createNsid } from "./nsid/handler.ts";
import { createPrometheus } from "./prometheus/handler.ts";
import { createRewrite } from "./rewrite/handler.ts";
import { createRrl } from "./rrl/handler.ts";
import { createTemplate } from "./template/handler.ts";
import { createWhoami } from "./whoami/handler.ts";

const CREATORS = {
  nsid: createNsid,
  bufsize: createBufsize,
  rrl: createRrl,
  prometheus: createPrometheus,
  errors: createErrors,
  log: createLog,
  local: createLocal,
  dns64: createDns64,
  any: createAny,
  chaos: createChaos,
  loadbalance: createLoadbalance,
  rewrite: createRewrite,
  acl: createAcl,
  cache: createCache,
  header: createHeader,
  minimal: createMinimal,
  template: createTemplate,
  hosts: createHosts,
  loop: createLoop,
  forward: createForward,
  whoami: createWhoami,
} satisfies Record<string, CreateHandler<never>>;

/** Handlers by plugin; some directives have none. */
export const HANDLERS: ReadonlyMap<string, CreateHandler> = new Map(
  Object.entries(CREATORS) as [string, CreateHandler][],
);

/** As `HANDLERS`, for one of several data planes. */
export function handlersWith(services: LoopServices): ReadonlyMap<string, CreateHandler> {
  return new Map([...HANDLERS, [
    "loop",
    (options, environment) => createLoop(options as LoopOptions, environment, services),
  ]]);
}
