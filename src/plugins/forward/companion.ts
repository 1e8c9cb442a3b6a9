import type { Companion, CompanionServices } from "../companion.ts";
import { Upstreams } from "./companion/upstreams.ts";

/** Follows the host names and resolv.conf files that `forward` directives name. */
export function createForwardCompanion(services: CompanionServices): Companion<Upstreams> {
  const { log, interfaces } = services;
  return {
    follow: (config, { deliver, previous }) =>
      new Upstreams(config, { deliver, log, previous, surroundings: { interfaces } }),
  };
}
