/** A listener to probe. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** SO_MARK against redirection, or 0. */
  readonly mark: number;
}

/** Entry of an `-m recent` list. */
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

/** sd_notify(3). */
export const SIGN_OF_LIFE: Uint8Array = new TextEncoder().encode("WATCHDOG=1\n");

/** A data plane's self-checks and their receivers. */
export interface CheckPlan {
  readonly targets: readonly ProbeTarget[];
  readonly beats: readonly Beat[];
  /** Another process renews dropped entries. */
  readonly leaveEntries: boolean;
  readonly watchdog: Watchdog | null;
  /** The other data planes' counters. */
  readonly peers: readonly SharedArrayBuffer[];
  readonly verdicts: SharedArrayBuffer;
}

/**
 * Offsets of shared verdicts in doubles. Targets follow, then for each entry when it was renewed
 * (0: never), in the time of `ROUND_MS`.
 */
export const VERDICTS = {
  ROUNDS: 0,
  DURATION_MS: 1,
  ROUND_MS: 2,
  FIRST_TARGET: 3,
} as const;

/** Size of a plan's verdicts, in doubles. */
export function verdictCount({ targets, beats }: Pick<CheckPlan, "targets" | "beats">): number {
  return VERDICTS.FIRST_TARGET + targets.length + beats.length;
}

/** Verdict on a target. */
export const VERDICT = { UNKNOWN: 0, ANSWERS: 1, SILENT: 2 } as const;

/** Faults by list. */
export type ListFaults = Readonly<Record<string, string>>;

/** A probe in progress. */
export interface ProbeSocket {
  answered(): boolean;
  close(): void;
}

/** Null on a temporary failure; throws on a permanent one. */
export type OpenProbe = (target: ProbeTarget) => ProbeSocket | null;

const MAX_PAUSE_MS = 32;

/** After one of `beforeMs`. */
export function nextPause(beforeMs: number): number {
  return Math.min(Math.max(1, 2 * beforeMs), MAX_PAUSE_MS);
}
