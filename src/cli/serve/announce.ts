import type { Config } from "../../config/types.ts";
import type { Logger } from "../../control/log/logger.ts";
import { ownName } from "../../plugins/config_traits.ts";
import { VERSION } from "../version.ts";

/** What is served where, as CoreDNS prints it. */
function listenerNames(config: Config): string[] {
  const zones = config.listeners.flatMap(({ address, port, zones }) =>
    zones.map(({ zone }) => {
      const host = address === ""
        ? ""
        : address.includes(":")
        ? ` on [${address}]`
        : ` on ${address}`;
      return `${zone}:${port}${host}`;
    })
  );
  return [...new Set(zones)];
}

/** The state of a nodens that serves, for its service manager. */
export function servingText(config: Config): string {
  return `serving ${listenerNames(config).join(", ")}`;
}

/** A name that is answered without a network, if there is one. */
function nameToTry(config: Config, zones: readonly { block: number }[]): string {
  return ownName({ blocks: zones.map(({ block }) => config.blocks[block]!) }) ?? "example.org";
}

/** Prints listeners, what runs, and a command that gets an answer. */
export function announce(config: Config, logger: Logger): void {
  const first = config.listeners[0];
  const hint: string[] = [];
  if (first !== undefined) {
    const host = first.address === "" ? "127.0.0.1" : first.address;
    hint.push(`Try: dig @${host} -p ${first.port} ${nameToTry(config, first.zones)}`);
  }
  const run = `nodens ${VERSION}, deno ${Deno.version.deno}, ${Deno.build.os}/${Deno.build.arch}`;
  const listeners = listenerNames(config);
  logger.print([...listeners, run, ...hint], run, { version: VERSION, listeners });
}
