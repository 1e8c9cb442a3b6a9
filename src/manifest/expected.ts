import type { ManifestFault } from "./fault.ts";
import type { Network } from "./networks.ts";

/** What the manifest is meant to say; null for whatever it says. */
export interface Expected {
  localDns: string | null;
  kubeDns: string | null;
  domain: string | null;
  /** Ranges of the cluster's services and pods. */
  ranges: readonly Network[];
}

/** What came of a check: a manifest without faults can be applied. */
export interface CheckResult {
  faults: ManifestFault[];
  warnings: ManifestFault[];
}
