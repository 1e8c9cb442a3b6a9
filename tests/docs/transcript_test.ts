import assert from "node:assert/strict";
import { differenceOf, readFences, readTranscripts } from "./transcript.ts";

const PAGE = `
\`\`\`
$ first
one
two
$ second
\`\`\`

\`\`\`corefile
. {
}
\`\`\`

\`\`\`sh
third
\`\`\`
`;

Deno.test("readFences: reads commands, outputs and log lines, and leaves Corefiles out", () => {
  const fences = readFences(PAGE);
  assert.deepEqual(fences, [
    { line: 3, lines: ["$ first", "one", "two", "$ second"] },
    { line: 15, lines: ["third"] },
  ]);
  assert.deepEqual(fences.map(readTranscripts), [
    [
      { line: 3, command: "first", output: ["one", "two"] },
      { line: 6, command: "second", output: [] },
    ],
    [],
  ]);
});

Deno.test("differenceOf: numbers, times, addresses and padding may differ", () => {
  for (
    const [page, printed] of [
      [["p50 0 ms, p95 0.9 ms"], ["p50 0.1 ms, p95 12 ms"]],
      [["14:21:30.533 10.1.0.17 A"], ["09:00:00.001 192.0.2.1 A"]],
      [["up     2h 3m    4711"], ["up  3s  9"]],
      [["over 62 s"], ["over 5 min"]],
      [["nodens 0.1.0, 2026-11-27 14:21:28 UTC"], ["nodens 0.2.0, 2027-01-02 03:04:05 UTC"]],
      [["12+ queries"], ["7 queries"]],
      [["first", "...", "last"], ["first", "second", "third", "last"]],
      [["first", "..."], ["first", "second"]],
      [['{"a":1,"b":"…'], ['{"a":2,"b":"c"}']],
    ]
  ) assert.equal(differenceOf(page!, printed!), null, page!.join());
});

Deno.test("differenceOf: another word, and a line more or less, is a difference", () => {
  for (
    const [page, printed, difference] of [
      [["p50 0 ms"], ["p90 0 ms, p95 1 ms"], /nodens printed: p90 0 ms, p95/],
      [["one", "two"], ["one"], /the page has: +two\nnodens printed: nothing more/],
      [["one"], ["one", "two"], /the page ends before: two/],
      [["one", "...", "last"], ["one", "two"], /the page has: +last\nnodens printed: two/],
      [["...", "one", "two"], ["zero", "one", "three"], /printed: three/],
      [["hits 1 …"], ["uses 1 of 2"], /the page has: +hits/],
      [["down (i/o timeout)"], ["down (refused)"], /refused/],
    ] as const
  ) assert.match(differenceOf(page, printed) ?? "no difference", difference);
});
