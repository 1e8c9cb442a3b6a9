import type { Server } from "../../control/server.ts";
import type { Logger } from "../../control/log/logger.ts";
import type { KernelHits } from "../../kernel/kernel_hits.ts";
import type { Selection } from "../../kernel/selection.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { cachedAnswers } from "../../plugins/config_traits.ts";
import { parseEffective } from "../../sys/capabilities.ts";
import { readKernelFile } from "../../sys/kernel_file.ts";

/** Lets the kernel answer hits, while nodens serves already. */
export async function openKernelHits(
  selection: Selection | null,
  { server, registry, log, driver, redirects }: {
    server: Server;
    registry: MetricRegistry;
    log: Logger["log"];
    driver: string;
    redirects: boolean;
  },
): Promise<KernelHits | null> {
  if (selection === null) return null;
  const [{ KernelHits }, { ADDRESS_REMEDY, hasOwnAddress }] = await Promise.all([
    import("../../kernel/kernel_hits.ts"),
    import("../../kernel/requirements.ts"),
  ]);
  const { config, planes } = server;
  if (!hasOwnAddress(config.listeners)) {
    const what = "kernel hits: none, since all listeners are on all addresses";
    log("warning", `${what} (${ADDRESS_REMEDY})`);
  }
  const hits = new KernelHits({
    ...{ selection, redirects },
    process: { driver, workers: planes.length, capabilities: readCapabilities(driver) },
    cachedAnswers: cachedAnswers(config),
    limitBytes: config.kernelBytes,
    plane: planes[0]!,
    isBeside: () => server.hasNeighbours(),
    log,
  });
  registry.onScrape((book) => hits.addMetrics(book));
  server.status.kernelHits = () => hits.describe();
  // Nothing waits for the verifier.
  void hits.start();
  return hits;
}

function readCapabilities(driver: string): bigint | null {
  try {
    return driver === "linux" ? parseEffective(readKernelFile("/proc/self/status")) : null;
  } catch {
    return null;
  }
}
