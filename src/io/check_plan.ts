import type { ProbeTarget } from "./probe_socket.ts";

/** An entry of an `-m recent` list, which tells rules that a target answers. */
export interface Beat {
  readonly list: string;
  readonly entry: string;
  readonly target: number;
}

/** A service manager's watchdog. */
export interface Watchdog {
  readonly socket: string;
  readonly everyMs: number;
}

/** A sign of life (sd_notify(3)). */
export const SIGN_OF_LIFE: Uint8Array = new TextEncoder().encode("WATCHDOG=1\n");

/** What a data plane checks of itself, and whom it tells; sent to its thread. */
export interface CheckPlan {
  readonly targets: readonly ProbeTarget[];
  readonly beats: readonly Beat[];
  /** Entries that are no longer renewed stay: another process renews them. */
  readonly leaveEntries: boolean;
  readonly watchdog: Watchdog | null;
  /** Counters of the other data planes, which share the ports and must turn as well. */
  readonly peers: readonly SharedArrayBuffer[];
  readonly verdicts: SharedArrayBuffer;
}

/** Doubles in the shared block of verdicts; those of the targets follow. */
export const VERDICTS = {
  ROUNDS: 0,
  DURATION_MS: 1,
  FIRST_TARGET: 2,
} as const;

/** Verdict on a target. */
export const VERDICT = { UNKNOWN: 0, ANSWERS: 1, SILENT: 2 } as const;

/** Why entries cannot be renewed, by list. */
export type ListFaults = Readonly<Record<string, string>>;
