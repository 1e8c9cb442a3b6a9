import type { Config } from "../../config/types.ts";
import type { Status } from "../../control/endpoints/status.ts";
import type { Logger } from "../../control/log/logger.ts";
import { ownName } from "../../plugins/config_traits.ts";
import { VERSION } from "../version.ts";

function listenerNames({ listeners }: Config): string[] {
  const names = listeners.flatMap(({ address, port, zones }) => {
    const host = address.includes(":") ? `[${address}]` : address;
    return zones.map(({ zone }) => `${zone}:${port}${host === "" ? "" : ` on ${host}`}`);
  });
  return [...new Set(names)];
}

/** State for service managers. */
export function servingText(config: Config): string {
  return `serving ${listenerNames(config).join(", ")}`;
}

/** Logs listeners and versions. */
export function announce(config: Config, logger: Logger): void {
  const hint = config.listeners.slice(0, 1).map(({ address, port, zones }) => {
    // A name that needs no upstream.
    const name = ownName({ blocks: zones.map(({ block }) => config.blocks[block]!) });
    return `Try: dig @${address || "127.0.0.1"} -p ${port} ${name ?? "example.org"}`;
  });
  const versions =
    `nodens ${VERSION}, deno ${Deno.version.deno}, ${Deno.build.os}/${Deno.build.arch}`;
  const listeners = listenerNames(config);
  logger.print([...listeners, versions, ...hint], versions, { version: VERSION, listeners });
}

/** Logs the state (SIGQUIT) as text or JSON. */
export async function printState(
  source: { collect(): Promise<Status> },
  logger: Logger,
): Promise<void> {
  try {
    const status = await source.collect();
    const { statusText } = await import("../status/text.ts");
    const lines = statusText(status).trimEnd().split("\n");
    logger.print(["SIGQUIT: this was the state", ...lines], "SIGQUIT: state report", { status });
  } catch (error) {
    logger.log("error", `SIGQUIT: cannot report the state: ${(error as Error).message}`);
  }
}
