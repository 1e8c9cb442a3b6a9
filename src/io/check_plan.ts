/** A listener to probe. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK that exempts the query from redirection; 0 for none. */
  readonly mark: number;
}

/** Entry of an `-m recent` list: a target answers. */
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

/** Watchdog notification (sd_notify(3)). */
export const SIGN_OF_LIFE: Uint8Array = new TextEncoder().encode("WATCHDOG=1\n");

/** A data plane's self-checks and their receivers. */
export interface CheckPlan {
  readonly targets: readonly ProbeTarget[];
  readonly beats: readonly Beat[];
  /** Another process renews dropped entries. */
  readonly leaveEntries: boolean;
  readonly watchdog: Watchdog | null;
  /** Counters of the other data planes. */
  readonly peers: readonly SharedArrayBuffer[];
  readonly verdicts: SharedArrayBuffer;
}

/**
 * Offsets, in doubles, of shared verdicts; targets follow, then for each entry when it was renewed
 * (0: never), in the time of `ROUND_MS`, the end of the last round.
 */
export const VERDICTS = {
  ROUNDS: 0,
  DURATION_MS: 1,
  ROUND_MS: 2,
  FIRST_TARGET: 3,
} as const;

/** Doubles that the verdicts of a plan take. */
export function verdictCount({ targets, beats }: Pick<CheckPlan, "targets" | "beats">): number {
  return VERDICTS.FIRST_TARGET + targets.length + beats.length;
}

/** Verdict on a target. */
export const VERDICT = { UNKNOWN: 0, ANSWERS: 1, SILENT: 2 } as const;

/** Why entries cannot be renewed, by list. */
export type ListFaults = Readonly<Record<string, string>>;

/** A probe query in progress. */
export interface ProbeSocket {
  answered(): boolean;
  close(): void;
}

/** Sends a probe query. Null on a temporary failure; throws on a permanent one. */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/** Pause between polls, after one of `beforeMs`. */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
