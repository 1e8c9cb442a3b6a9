import { loadConfig } from "../../src/loading/load.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import {
  Upstreams,
  type UpstreamsSurroundings,
} from "../../src/plugins/forward/companion/upstreams.ts";
import type { UpstreamsUpdate } from "../../src/plugins/forward/options.ts";
import { PATIENCE } from "./patience.ts";

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

/** Only what hangs takes this long: a machine with other work may need ten times what a test does. */
const UNTIL_MS = 60_000 * PATIENCE;

/** Waits for something that happens in the background; throws after a minute. */
export async function until(condition: () => boolean, what = "it"): Promise<void> {
  const limitMs = performance.now() + UNTIL_MS;
  while (!condition()) {
    if (performance.now() > limitMs) {
      throw new Error(`${what} did not happen within ${UNTIL_MS / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
