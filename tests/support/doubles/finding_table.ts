import assert from "node:assert/strict";
import type { Verdict } from "../../../src/doctor/judge/finding.ts";

type Pattern = string | RegExp;

/** Expected status, and patterns of `found` and optionally of the remedy. */
export interface ExpectedFinding {
  readonly ok?: Pattern;
  readonly skipped?: Pattern;
  readonly warning?: Pattern | readonly [Pattern, Pattern];
  readonly problem?: Pattern | readonly [Pattern, Pattern];
}

/** Tests a judgement by rows of facts and verdicts, one test per row. */
export function testFindings<Row extends { name: string } & ExpectedFinding>(
  what: string,
  rows: readonly Row[],
  judge: (row: Row) => Verdict,
): void {
  for (const row of rows) Deno.test(`${what}: ${row.name}`, () => expectFinding(judge(row), row));
}

/** Tests a judge by rows of changes to its facts, one test per row. */
export function testJudge<Facts>(
  what: string,
  base: Facts,
  judge: (facts: Facts) => Verdict,
  rows: readonly ({ name: string; facts?: Partial<Facts> } & ExpectedFinding)[],
): void {
  testFindings(what, rows, ({ facts }) => judge({ ...base, ...facts }));
}

export function expectFinding(verdict: Verdict, expected: ExpectedFinding): void {
  const { status, found, remedy } = verdict;
  const patterns = expected[status];
  assert.ok(patterns !== undefined, JSON.stringify(verdict));
  assert.notEqual(found, "");
  assert.equal(remedy !== "", status === "warning" || status === "problem", remedy);
  const [ofFound, ofRemedy] = Array.isArray(patterns) ? patterns : [patterns];
  compare(found, ofFound);
  if (ofRemedy !== undefined) compare(remedy, ofRemedy);
}

function compare(actual: string, expected: Pattern): void {
  if (typeof expected === "string") assert.equal(actual, expected);
  else assert.match(actual, expected);
}
