import type { PluginTraits } from "../traits.ts";
import type { HostsOptions } from "./options.ts";

/** Traits of `hosts`. */
export const hostsTraits: PluginTraits<HostsOptions> = {
  ownName: ({ inline }) => inline[0]?.split(/\s+/)[1] ?? null,
};
