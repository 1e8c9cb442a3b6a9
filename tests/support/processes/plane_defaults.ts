import { systemClock } from "../../../src/base/clock.ts";
import { TlsThread } from "../../../src/control/encrypted/thread.ts";
import type { DataPlaneOptions } from "../../../src/control/plane/data_plane.ts";
import { shareFiles } from "../../../src/io/file_shares.ts";
import { SHARED_BYTES } from "../../../src/plugins/companions.ts";

/** Options of a data plane that stands alone. */
export function planeDefaults(log: DataPlaneOptions["log"]) {
  return {
    log,
    inherited: null,
    logsFields: false,
    observes: false,
    mark: 0,
    files: shareFiles(4096),
    onHarm: () => {},
    refill: () => Promise.resolve([]),
    shared: new SharedArrayBuffer(SHARED_BYTES),
    tls: new TlsThread(log),
    clock: systemClock,
  };
}
