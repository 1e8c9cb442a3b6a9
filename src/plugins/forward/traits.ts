import type { PluginTraits } from "../traits.ts";
import { type ForwardOptions, transportOf } from "./options.ts";

/** Traits of `forward`. */
export const forwardTraits: PluginTraits<ForwardOptions> = {
  forwarding: ({ from, except, upstreams, forceTcp, to }) => ({
    from,
    except,
    servers: upstreams,
    forceTcp,
    encrypted: to.some((one) => transportOf(one) !== "dns"),
    files: to.flatMap((one) =>
      one.kind === "file" ? [{ path: one.path, servers: one.content.servers }] : []
    ),
  }),
};
