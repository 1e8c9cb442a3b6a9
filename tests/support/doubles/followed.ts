import { systemClock } from "../../../src/base/clock.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
import { Upstreams, type UpstreamsOptions } from "../../../src/plugins/forward/companion.ts";
import type { UpstreamsUpdate } from "../../../src/plugins/forward/options.ts";
import { PATIENCE } from "../run/patience.ts";
import type { VirtualClock } from "../run/virtual_clock.ts";
import "../engine/all_plugins.ts";

/** Only a hang takes this long. */
const LIMIT_MS = 60_000 * PATIENCE;

/** Addresses and ports delivered to a data plane, as text. */
export interface Delivery {
  block: number;
  position: number;
  update: UpstreamsUpdate;
  servers: string[];
}

/** Moves the clock until a condition holds, with time for I/O between the steps. */
export async function advanceUntil(
  clock: VirtualClock,
  condition: () => boolean,
  what = "it",
): Promise<void> {
  const limitMs = performance.now() + LIMIT_MS;
  while (!condition()) {
    if (performance.now() > limitMs) throw new Error(`${what} did not happen`);
    await clock.advance(200);
    await systemClock.sleep(1);
  }
}

/** Follows a Corefile's upstreams during `use`, with a data plane that only records. */
export async function following(
  corefile: string,
  options: Pick<UpstreamsOptions, "clock" | "resolvConfPath" | "hostTiming">,
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
    interfaces: () => ["127.0.0.1", "::1"],
    ...options,
  });
  upstreams.start();
  try {
    await use({ deliveries, logs });
  } finally {
    await upstreams.stop();
  }
}
