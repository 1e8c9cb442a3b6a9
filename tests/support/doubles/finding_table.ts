import assert from "node:assert/strict";
import type { FindingStatus, Verdict } from "../../../src/doctor/judge/finding.ts";

type Pattern = string | RegExp;

/** The status with the pattern of `found`, and the remedy; without one, that of a warning or problem may be any. */
export type ExpectedFinding = { readonly [status in FindingStatus]?: Pattern } & {
  readonly remedy?: Pattern;
};

/** Tests a judgement by rows of facts and verdicts, one test for each row. */
export function testFindings<Row extends { name: string } & ExpectedFinding>(
  what: string,
  rows: readonly Row[],
  judge: (row: Row) => Verdict,
): void {
  for (const row of rows) Deno.test(`${what}: ${row.name}`, () => expectFinding(judge(row), row));
}

/** Compares a verdict with the expected one. */
export function expectFinding(verdict: Verdict, expected: ExpectedFinding): void {
  const { status, found, remedy } = verdict;
  const pattern = expected[status];
  assert.ok(pattern !== undefined, JSON.stringify(verdict));
  assert.notEqual(found, "");
  compare(found, pattern);
  if (expected.remedy !== undefined) compare(remedy, expected.remedy);
  else assert.equal(remedy !== "", status === "warning" || status === "problem", remedy);
}

function compare(actual: string, expected: Pattern): void {
  if (typeof expected === "string") assert.equal(actual, expected);
  else assert.match(actual, expected);
}
