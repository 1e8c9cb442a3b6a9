/** Outcome of a check. */
export type FindingStatus = "ok" | "warning" | "problem" | "skipped";

/** Outcome of a check, with its text. */
export interface Verdict {
  readonly status: FindingStatus;
  readonly found: string;
  readonly remedy: string;
}

/** A verdict with its check. */
export interface Finding extends Verdict {
  /** Stable, for scripts. */
  readonly id: string;
  readonly title: string;
}

/** Verdict of a passed check. */
export function ok(found: string): Verdict {
  return { status: "ok", found, remedy: "" };
}

/** Verdict of an inapplicable check. */
export function skipped(found: string): Verdict {
  return { status: "skipped", found, remedy: "" };
}

/** Verdict: nodens works, but not optimally. */
export function warning(found: string, remedy: string): Verdict {
  return { status: "warning", found, remedy };
}

/** Verdict: nodens cannot start, or loses or misdirects queries. */
export function problem(found: string, remedy: string): Verdict {
  return { status: "problem", found, remedy };
}

/** Findings by status. */
export function countStatuses(findings: readonly Finding[]): Record<FindingStatus, number> {
  const counts = { ok: 0, warning: 0, problem: 0, skipped: 0 };
  for (const { status } of findings) counts[status]++;
  return counts;
}

/** 1 if there is a problem, else 0. */
export function exitCode(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ status }) => status === "problem") ? 1 : 0;
}
