import type { ProbeTarget } from "./probe_socket.ts";

/** An entry of a list of `-m recent`, by which rules know that a target answers. */
export interface Beat {
  /** Name of the list. */
  readonly list: string;
  /** Address as it stands there. */
  readonly entry: string;
  /** Index of the target that must answer. */
  readonly target: number;
}

/** A service manager's watchdog. */
export interface Watchdog {
  /** `$NOTIFY_SOCKET`. */
  readonly socket: string;
  /** Time between two signs of life. */
  readonly everyMs: number;
}

/** What a watchdog is sent (sd_notify(3)). */
export const SIGN_OF_LIFE: Uint8Array = new TextEncoder().encode("WATCHDOG=1\n");

/** What a data plane checks of itself, and whom it tells. Plain data: it is sent to the thread. */
export interface CheckPlan {
  readonly targets: readonly ProbeTarget[];
  readonly beats: readonly Beat[];
  /** Entries that are not kept alive any more stay: another process renews them from now on. */
  readonly leaveEntries: boolean;
  /** Null where nobody wants signs of life. */
  readonly watchdog: Watchdog | null;
  /** Counters of the other data planes, which share the ports and must come round as well. */
  readonly peers: readonly SharedArrayBuffer[];
  /** Where the verdicts go (`VERDICTS`). */
  readonly verdicts: SharedArrayBuffer;
}

/** Doubles in the shared block of verdicts; those of the targets follow. */
export const VERDICTS = {
  /** Rounds that are over. */
  ROUNDS: 0,
  /** How long the last one took, in milliseconds. */
  DURATION_MS: 1,
  FIRST_TARGET: 2,
} as const;

/** What is known of a target. */
export const VERDICT = { UNKNOWN: 0, ANSWERS: 1, SILENT: 2 } as const;

/** Why entries of lists cannot be renewed, by list. */
export type ListFaults = Readonly<Record<string, string>>;
