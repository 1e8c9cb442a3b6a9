import type { Network } from "./networks.ts";

/** Something wrong in a manifest, at a line counted from 1. */
export interface ManifestFault {
  line: number;
  /** What is wrong and, in brackets, what would do. */
  what: string;
}

/** Most faults that are told of at once. */
export const MAX_FAULTS = 100;

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
