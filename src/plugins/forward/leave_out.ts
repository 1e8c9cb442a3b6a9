import type { Config } from "../../config/types.ts";
import type { ServerAddress } from "../../upstream/options.ts";
import type { WholeConfig } from "../controller.ts";
import { MEANWHILE } from "./meanwhile.ts";
import type { ForwardOptions } from "./options.ts";
import { OwnListeners } from "./own_listeners.ts";
import { fileServer, resolveTo } from "./resolve_to.ts";

/**
 * Leaves out of the upstreams of a configuration what its files name and what would come back to the
 * server block that forwards it: a resolv.conf of this machine may well name nodens itself.
 */
export function leaveOutOwnListeners(
  { config, interfaces, warn }: WholeConfig<ForwardOptions>,
): void {
  const named = new Map<ForwardOptions, readonly ServerAddress[]>();
  for (const options of forwards(config).map(({ options }) => options)) {
    named.set(options, options.upstreams);
  }
  const own = new OwnListeners(config, (options) => named.get(options)!, interfaces);
  for (const { block, line, options } of forwards(config)) {
    const leavesOut = (server: ServerAddress) => own.leadsBack(block, options, server);
    const texts: string[] = [];
    for (const to of options.to) {
      if (to.kind === "server" && leavesOut(to.upstream)) {
        const { address, port } = to.upstream;
        const { file } = config.blocks[block]!;
        const what = `${address} port ${port} is where this server block listens, so what`;
        warn({ file, line }, `${what} is forwarded there comes back (name another server)`);
      }
      if (to.kind !== "file") continue;
      const out = to.content.servers.filter((address) => leavesOut(fileServer(address)));
      if (out.length > 0) texts.push(leftOutText(to.path, out));
    }
    if (texts.length === 0) continue;
    Object.assign(options, resolveTo(options, { leavesOut }));
    const nobody = options.upstreams.length === 0 &&
      options.to.every(({ kind }) => kind === "file");
    const { file } = config.blocks[block]!;
    for (const text of new Set(texts)) {
      warn({ file, line }, `${text}${nobody ? `; ${MEANWHILE.another}` : ""}`);
    }
  }
}

/** Says that a file names listeners of nodens, and what comes of it. */
export function leftOutText(path: string, addresses: readonly string[]): string {
  return `${path} names ${
    addresses.join(", ")
  }, where nodens itself listens: left out, since what ` +
    "is forwarded there would come back";
}

function forwards(
  { blocks }: Config,
): { block: number; line: number; options: ForwardOptions }[] {
  return blocks.flatMap(({ plugins }, block) =>
    plugins.filter(({ name }) => name === "forward").map(({ line, options }) => ({
      block,
      line,
      options: options as ForwardOptions,
    }))
  );
}
