/** How one check came out. */
export type FindingStatus = "ok" | "warning" | "problem" | "skipped";

/** What a check is about. */
export interface Check {
  /** For scripts; does not change. */
  readonly id: string;
  /** For people. */
  readonly title: string;
}

/** What one check found. */
export interface Finding extends Check {
  readonly status: FindingStatus;
  /** What is so, in one line or several. */
  readonly found: string;
  /** What to do; empty if nothing is to be done. */
  readonly remedy: string;
}

/** All is as it should be. */
export function ok(check: Check, found: string): Finding {
  return { ...check, status: "ok", found, remedy: "" };
}

/** It does not apply, or cannot be known; `found` says why. */
export function skipped(check: Check, found: string): Finding {
  return { ...check, status: "skipped", found, remedy: "" };
}

/** nodens works, but not as well as it could, or not for long. */
export function warning(check: Check, found: string, remedy: string): Finding {
  return { ...check, status: "warning", found, remedy };
}

/** nodens does not start, or queries go unanswered or astray. */
export function problem(check: Check, found: string, remedy: string): Finding {
  return { ...check, status: "problem", found, remedy };
}

/** How many findings there are of each status. */
export function countStatuses(findings: readonly Finding[]): Record<FindingStatus, number> {
  const counts = { ok: 0, warning: 0, problem: 0, skipped: 0 };
  for (const { status } of findings) counts[status]++;
  return counts;
}

/** For scripts: 1 where there is a problem, else 0. */
export function exitCode(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ status }) => status === "problem") ? 1 : 0;
}
