import assert from "node:assert/strict";
import type { FindingStatus, Verdict } from "../../../src/doctor/judge/finding.ts";

/** What a finding is to be: its status, and what its texts are or match. */
export interface ExpectedFinding {
  status: FindingStatus;
  found?: string | RegExp;
  /** Without, it must be empty for "ok" and "skipped", and must not be for the others. */
  remedy?: string | RegExp;
}

/** Tests a judgement by rows of facts and findings, one test for each row. */
export function testFindings<Row extends { name: string; expected: ExpectedFinding }>(
  what: string,
  rows: readonly Row[],
  judge: (row: Row) => Verdict,
): void {
  for (const row of rows) {
    Deno.test(`${what}: ${row.name}`, () => expectFinding(judge(row), row.expected));
  }
}

/** Holds one finding against what it is to be. */
export function expectFinding(finding: Verdict, expected: ExpectedFinding): void {
  const { status, found, remedy } = finding;
  assert.equal(status, expected.status, JSON.stringify(finding));
  assert.notEqual(found, "");
  compare(found, expected.found);
  if (expected.remedy !== undefined) compare(remedy, expected.remedy);
  else assert.equal(remedy !== "", status === "warning" || status === "problem", remedy);
}

function compare(actual: string, expected: string | RegExp | undefined): void {
  if (typeof expected === "string") assert.equal(actual, expected);
  else if (expected !== undefined) assert.match(actual, expected);
}
