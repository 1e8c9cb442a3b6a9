import type { PluginTraits } from "../traits.ts";
import type { ForwardOptions } from "./options.ts";

/** What the rest of the program may know of `forward`. */
export const forwardTraits: PluginTraits<ForwardOptions> = {
  forwarding: ({ from, except, upstreams, forceTcp, to }) => ({
    from,
    except,
    servers: upstreams,
    forceTcp,
    encrypted: to.some((one) =>
      one.kind === "server"
        ? one.upstream.transport !== "dns"
        : one.kind === "name" && one.transport !== "dns"
    ),
    files: to.flatMap((one) =>
      one.kind === "file" ? [{ path: one.path, servers: one.content.servers }] : []
    ),
  }),
};
