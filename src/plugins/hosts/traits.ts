import type { PluginTraits } from "../traits.ts";
import type { HostsOptions } from "./options.ts";

/** What the rest of the program may know of `hosts`. */
export const hostsTraits: PluginTraits<HostsOptions> = {
  ownName: ({ inline }) => inline[0]?.split(/\s+/)[1] ?? null,
};
