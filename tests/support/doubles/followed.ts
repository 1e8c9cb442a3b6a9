import { loadConfig } from "../../../src/loading/load.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
import {
  Upstreams,
  type UpstreamsSurroundings,
} from "../../../src/plugins/forward/companion/upstreams.ts";
import type { UpstreamsUpdate } from "../../../src/plugins/forward/options.ts";

/** What a data plane was handed, addresses and ports as text. */
export interface Delivery {
  block: number;
  position: number;
  update: UpstreamsUpdate;
  servers: string[];
}

/** Follows the upstreams of a Corefile for the length of `use`, with a data plane that only notes. */
export async function following(
  corefile: string,
  surroundings: Partial<UpstreamsSurroundings>,
  use: (seen: { deliveries: Delivery[]; logs: string[] }) => Promise<void>,
): Promise<void> {
  const { config } = loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, denoHost);
  const deliveries: Delivery[] = [];
  const logs: string[] = [];
  const deliver = (block: number, position: number, data: unknown) => {
    const update = data as UpstreamsUpdate;
    const servers = update.upstreams.map(({ address, port }) => `${address}:${port}`);
    deliveries.push({ block, position, update, servers });
  };
  const log = (level: string, line: string) => logs.push(`${level}: ${line}`);
  const upstreams = new Upstreams(config, {
    deliver,
    log,
    surroundings: { pollMs: 20, interfaces: () => ["127.0.0.1", "::1"], ...surroundings },
  });
  upstreams.start();
  try {
    await use({ deliveries, logs });
  } finally {
    await upstreams.stop();
  }
}
